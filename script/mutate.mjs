// Tells which changes to core/ and engine/ no test notices: `npm run mutate -- core/resume engine/publish`, or all files.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { npm, root } from './packages.mjs'

/** Not among the packages of the lock file: 170 of them for what is run now and then. */
const STRYKER = '9.6.1'

const files = process.argv.length > 2 ? process.argv.slice(2) : allFiles()
const unknown = files.filter(file => !existsSync(join(root, 'src', `${file}.ts`)))
if (unknown.length > 0) {
  console.error(`mutate: must name files as in core/resume; found ${unknown.join(', ')}`)
  process.exit(2)
}
const { Stryker } = await importStryker()
const rows = []
for (const file of files) rows.push(rowOf(file, await mutate(file)))
console.log(['| file | mutants | killed | score |', '|---|---|---|---|', ...rows].join('\n'))

function allFiles() {
  return ['core', 'engine'].flatMap(floor =>
    readdirSync(join(root, 'src', floor)).map(name => `${floor}/${name.replace(/\.ts$/, '')}`)
  )
}

async function importStryker() {
  const directory = join(root, '.tools', `stryker-${STRYKER}`)
  const entry = join(directory, 'node_modules', '@stryker-mutator', 'core', 'dist', 'src', 'index.js')
  if (!existsSync(entry)) {
    console.log(`Installing Stryker ${STRYKER}`)
    const packages = ['core', 'jest-runner'].map(name => `@stryker-mutator/${name}@${STRYKER}`)
    npm('install', '--prefix', directory, '--no-save', '--no-package-lock', '--loglevel=error', ...packages)
  }
  return import(pathToFileURL(entry).href)
}

/** The mutants of one file, told by its own tests; of one without, by all of its floor that do not take minutes. */
function mutate(file) {
  const floor = file.split('/', 1)[0]
  const own = `__tests__/${file}.test.ts`
  const isOwn = existsSync(join(root, own))
  return new Stryker({
    mutate: [`src/${file}.ts`],
    testRunner: 'jest',
    testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    jest: {
      configFile: 'jest.config.json',
      enableFindRelatedTests: false,
      config: {
        testMatch: [`<rootDir>/${isOwn ? own : `__tests__/${floor}/*.test.ts`}`],
        testPathIgnorePatterns: ['properties.test.ts']
      }
    },
    coverageAnalysis: 'perTest',
    concurrency: 1,
    ignorePatterns: ['dist', 'docs', 'bench', '.github', '.tools', '.node24'],
    tempDirName: join(root, '.tools', 'mutants'),
    reporters: ['clear-text'],
    clearTextReporter: { reportTests: false, reportScoreTable: false },
    logLevel: 'warn'
  }).runMutationTest()
}

function rowOf(file, mutants) {
  const found = mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout').length
  const valid = mutants.filter(({ status }) => !status.endsWith('Error') && status !== 'Ignored').length
  const score = valid === 0 ? '' : `${((100 * found) / valid).toFixed(1)} %`
  return `| ${file} | ${valid} | ${found} | ${score} |`
}
