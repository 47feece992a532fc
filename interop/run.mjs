// Runs the contract on real servers: the chosen ones, which then have to be there unless they are only wanted where that
// is possible, or all, which makes the table.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installPackages as installNpmPackages, npm, root } from '../script/packages.mjs'
import { cleanUpAll } from './cleanup.mjs'
import { installPackages } from './debian.mjs'
import { choose } from './servers/index.mjs'

/** Most of a test is waiting for one process after the other. */
const AT_ONCE = 3

const WHERE_POSSIBLE = '--where-possible'
const names = process.argv.slice(2).filter(name => name !== WHERE_POSSIBLE)
const isOptional = names.length === 0 || process.argv.includes(WHERE_POSSIBLE)
const chosen = choose(names)
installNpmPackages()
// The bundle, and what ask.mjs takes from lib/.
npm('run', '--silent', 'build')
installPackages([...new Set(chosen.flatMap(({ packages }) => packages))])
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => void cleanUpAll().finally(() => process.exit(1)))
}

const { contractSize, runContract } = await import('./run-contract.mjs')
const { TooLate } = await import('./site.mjs')
const { formatTable, formatRow } = await import('./table.mjs')

const results = []
const waiting = [...chosen]
await Promise.all(Array.from({ length: AT_ONCE }, serveNext))
await cleanUpAll()
results.sort((a, b) => chosen.indexOf(a.server) - chosen.indexOf(b.server))

const failed = count(({ tests }) => tests.filter(({ error }) => error !== undefined).length)
const passed = count(({ tests }) => tests.length) - failed
const notRun = results.filter(({ whyNot }) => whyNot !== undefined)
// Who names a server wants to know of it.
const missing = isOptional ? 0 : notRun.length
const skipped = (notRun.length - missing) * contractSize
if (names.length === 0 && failed === 0) {
  writeFileSync(join(root, 'docs', 'servers.md'), formatTable(results))
  console.log('Wrote docs/servers.md')
}
console.log(`${passed} passed, ${failed + missing} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed + missing > 0 || passed === 0 ? 1 : 0

async function serveNext() {
  for (let server = waiting.shift(); server !== undefined; server = waiting.shift()) {
    let result = await runContract(server)
    const errors = result.tests.map(({ error }) => error).filter(error => error !== undefined)
    // What was wrong, and not only late, is not made good by a second run.
    if (errors.length > 0 && errors.every(error => error instanceof TooLate)) {
      console.log(`${formatResult(result)}\n\n${server.id} is run once more.`)
      result = await runContract(server)
    }
    results.push(result)
    console.log(formatResult(result))
  }
}

function formatResult({ server, whyNot, tests, ...facts }) {
  if (whyNot !== undefined) return `\n${server.id}: NOT RUN, ${whyNot}`
  const lines = tests.map(({ name, seconds, error }) => {
    const line = `  ${error === undefined ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`
    return error === undefined ? line : `${line}\n${error.message.replace(/^/gm, '         ')}`
  })
  return [`\n${server.id}: ${formatRow({ server, ...facts })}`, ...lines].join('\n')
}

function count(numberOf) {
  return results.reduce((total, result) => total + numberOf(result), 0)
}
