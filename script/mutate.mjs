// Tells which changes to core/ and engine/ no test notices: `npm run mutate -- core/resume engine/publish`, or all files.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { npm, root } from './packages.mjs'

/** Not among the packages of the lock file: 170 of them for what is run now and then. */
const STRYKER = '9.6.1'

/** Files that only show through what they are a part of, and the tests that judge them. */
const JUDGES = {
  'engine/claim-part': ['engine/claim-part', 'engine/copy-part', 'engine/decide', 'engine/open-part'],
  'engine/context': ['run/inputs'],
  'engine/decide': ['engine/decide', 'engine/copy-part', 'engine/claim-part'],
  'engine/keep-part': ['engine/publish-together', 'engine/decide'],
  'engine/lanes': ['engine/lanes', 'engine/counted-remote'],
  'engine/open-handles': ['engine/open-handles', 'engine/counted-remote'],
  'engine/open-part': ['engine/open-part', 'engine/counted-remote'],
  'engine/publish-whole': ['engine/publish-together', 'engine/decide'],
  'engine/run-log': ['engine/earlier-runs'],
  'engine/run': ['engine/upload', 'engine/earlier-runs', 'engine/last-file', 'engine/publish-together'],
  'engine/try-setting': ['engine/attributes', 'engine/directories'],
  'engine/upload': ['engine/upload', 'engine/earlier-runs', 'engine/last-file', 'engine/check-space'],
  'engine/upload-file': ['engine/upload-file', 'engine/decide']
}

/** There is nothing to change in them. */
const TYPES = ['engine/ports']

const files = process.argv.length > 2 ? process.argv.slice(2) : allFiles()
const unknown = files.filter(file => !existsSync(join(root, 'src', `${file}.ts`)))
if (unknown.length > 0) {
  console.error(`mutate: must name files as in core/resume; found ${unknown.join(', ')}`)
  process.exit(2)
}
const unjudged = files.flatMap(judgesOf).filter(test => !existsSync(join(root, test)))
if (unjudged.length > 0) {
  console.error(
    `mutate: a file must have tests of its name, or others in JUDGES; there is no ${unjudged.join(', ')}`
  )
  process.exit(2)
}
const { Stryker } = await importStryker()
const rows = []
for (const file of files) rows.push(rowOf(file, await mutate(file)))
console.log(['| file | mutants | noticed |', '| --- | --- | --- |', ...rows].join('\n'))

function allFiles() {
  const names = ['core', 'engine'].flatMap(floor =>
    readdirSync(join(root, 'src', floor)).map(name => `${floor}/${name.replace(/\.ts$/, '')}`)
  )
  return names.filter(name => !TYPES.includes(name))
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

function judgesOf(file) {
  return (JUDGES[file] ?? [file]).map(name => `__tests__/${name}.test.ts`)
}

/** The mutants of one file, told by its own tests, or by those that judge it. */
function mutate(file) {
  return new Stryker({
    mutate: [`src/${file}.ts`],
    testRunner: 'jest',
    testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    jest: {
      configFile: 'jest.config.json',
      enableFindRelatedTests: false,
      config: {
        testEnvironment: join(root, 'script', 'quick-tests.mjs'),
        testMatch: judgesOf(file).map(test => `<rootDir>/${test}`)
      }
    },
    coverageAnalysis: 'perTest',
    concurrency: 1,
    ignorePatterns: ['dist', 'docs', 'bench', '.github', '.tools', '.node24'],
    tempDirName: join(root, '.tools', 'mutants'),
    reporters: ['clear-text'],
    clearTextReporter: { reportTests: false, reportScoreTable: false, maxTestsToLog: 0 },
    warnings: { slow: false },
    logLevel: 'warn'
  }).runMutationTest()
}

function rowOf(file, mutants) {
  const found = mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout').length
  const valid = mutants.filter(({ status }) => !status.endsWith('Error') && status !== 'Ignored').length
  return `| ${file} | ${valid} | ${found} |`
}
