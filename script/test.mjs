// Runs every test on the Node at hand and on Node 24, and counts them together.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installPackages, npm, root } from './packages.mjs'

/** The version of the runner's node24. */
const ACTION_NODE = '24.21.0'

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

/** Node 24 from the npm registry, where it has a binary for this machine; undefined when this is Node 24. */
function node24() {
  if (process.versions.node.startsWith('24.')) return undefined
  const name = `node-${process.platform}-${process.arch}`
  const node = join(root, '.node24', 'node_modules', name, 'bin', 'node')
  try {
    if (!existsSync(node)) {
      console.log(`Fetching Node ${ACTION_NODE}`)
      npm(
        'install',
        '--prefix',
        join(root, '.node24'),
        '--no-save',
        '--no-package-lock',
        '--loglevel=error',
        `${name}@${ACTION_NODE}`
      )
    }
    return node
  } catch {
    console.log(
      `Node ${ACTION_NODE} is not to be had for this machine: the tests run on ${process.version} only`
    )
    return undefined
  }
}

function runTests(node) {
  const { stdout: version } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  console.log(`\nThe tests on Node ${version.trim()}`)
  const directory = mkdtempSync(join(tmpdir(), 'resumable-sftp-upload-test-'))
  const report = join(directory, 'report.json')
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
  try {
    spawnSync(node, [...options, jest, '--json', '--outputFile', report, ...process.argv.slice(2)], {
      cwd: root,
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
