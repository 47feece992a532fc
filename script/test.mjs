// Runs every test on the Node at hand and on Node 24, and counts them together.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { node24 } from './node24.mjs'
import { installPackages, root } from './packages.mjs'

/** The first chaos round: each Node plays others. */
const CHAOS_SEEDS = ['1', '1001']

installPackages()
const results = [process.execPath, node24()].filter(node => node !== undefined).map(runTests)
const passed = sum(({ numPassedTests }) => numPassedTests)
// A file that does not even load has no failed test of its own.
const failed = sum(
  ({ numFailedTests, numRuntimeErrorTestSuites }) => numFailedTests + numRuntimeErrorTestSuites
)
const skipped = sum(({ numPendingTests }) => numPendingTests)
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function runTests(node, index) {
  const { stdout: version } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  console.log(`\nThe tests on Node ${version.trim()}`)
  const directory = mkdtempSync(join(tmpdir(), 'resumable-sftp-upload-test-'))
  const report = join(directory, 'report.json')
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
  try {
    spawnSync(node, [...options, jest, '--json', '--outputFile', report, ...process.argv.slice(2)], {
      cwd: root,
      env: { CHAOS_SEED: CHAOS_SEEDS[index], ...process.env },
      stdio: ['ignore', 'ignore', 'inherit']
    })
    if (existsSync(report)) return JSON.parse(readFileSync(report, 'utf8'))
    return { numPassedTests: 0, numFailedTests: 1, numRuntimeErrorTestSuites: 0, numPendingTests: 0 }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function sum(count) {
  return results.reduce((total, result) => total + count(result), 0)
}
