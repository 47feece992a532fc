import assert from 'node:assert/strict'
import { join, posix } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCacheService } from '../__tests__/support/cache-service.mjs'
import { createRunner } from '../__tests__/support/runner.mjs'
import { root } from '../script/packages.mjs'
import { whenDone } from './cleanup.mjs'
import { openLine } from './line.mjs'
import { difference } from './tree.mjs'

/** Some servers answer before they have handed on what they got. */
const STORE_LIMIT_MS = 20_000
const POLL_MS = 20
/** Where the state goes when the cache is late. */
const STATE = /(^|\/)\.[0-9a-f]{32}\.upload\.meta$/
const LATE_CACHE = 'Actions cache cannot be used'

/**
 * What one test has: a way to the server, an Actions cache, the directory `name` on the server, which may be on a small
 * `disk` of its own, and machines that run the job.
 */
export async function openSite(server, name, disk) {
  const line = await openLine(server.program.port)
  const cache = await startCacheService()
  const machines = []
  const site = {
    server,
    line,
    cache,
    disk,
    /** A step was not served by the cache in time: the next attempt may know nothing of it. */
    cacheWasLate: false,
    /** The local directory with what the server has stored. */
    stored: () => server.stored(name),
    /** Inputs that upload the directory `build`, in one attempt. */
    inputs: more => ({
      host: '127.0.0.1',
      port: String(line.port),
      username: server.username,
      key: server.key,
      'known-hosts': `[127.0.0.1]:${line.port} ${server.hostKey}`,
      'remote-path': posix.join(server.remote, name),
      paths: 'build',
      retries: '0',
      ...more
    }),
    /** A new machine for an attempt of the job; `build` is the directory to upload. */
    async machine(attempt = 1) {
      const layout = `machine-${attempt}`
      const runner = await createRunner({ actionPath: root, cacheUrl: cache.url, runId: 1, attempt, layout })
      machines.push(runner)
      return {
        ...runner,
        build: join(runner.workspace, 'build'),
        async run(inputs) {
          const { main, post } = await runner.run(inputs)
          site.cacheWasLate ||= `${main.log}${post.log}`.includes(LATE_CACHE)
          return { main, post }
        }
      }
    },
    close: whenDone(async () => {
      for (const machine of machines) await machine.cleanup()
      await line.close()
      await cache.close()
    })
  }
  return site
}

/** The step ended well, without a warning but of a cache that is late: that is this machine's, not the server's. */
export function expectGreen({ main, post }) {
  assert.equal(main.exitCode, 0, `the step must succeed:\n${told(main)}`)
  assert.equal(main.outputs.state, 'complete')
  const warnings = warningsOf(main, post).filter(text => !text.includes(LATE_CACHE))
  assert.deepEqual(warnings, [])
}

/** The step failed, and says so. */
export function expectRed({ main }) {
  assert.equal(main.exitCode, 1, `the step must fail:\n${told(main)}`)
  assert.equal(main.outputs.state, 'incomplete')
}

/** The server has stored the files of that directory, with the same bytes, and nothing else but what it may leave behind. */
export async function expectStored(site, directory, left = /$^/) {
  const { debris = /$^/ } = site.server
  const ignored = { test: name => debris.test(name) || left.test(name) || STATE.test(name) }
  await until(async () => difference(await site.stored(), directory, ignored))
}

/** The machine may have been too slow for once. */
export class TooLate extends Error {}

/** Waits until there is nothing to say any more. @throws Error with what there still was to say. */
export async function until(whatIsWrong, limitMs = STORE_LIMIT_MS) {
  const end = Date.now() + limitMs
  for (;;) {
    const wrong = await whatIsWrong()
    if (wrong === undefined) return
    if (Date.now() > end) {
      const text = `not within ${limitMs / 1000} s: ${wrong}`
      // A file that is lost, or wrong for so long, does not come right; what is left over may still be removed.
      throw /is not there|differs/.test(wrong) ? new Error(text) : new TooLate(text)
    }
    await sleep(POLL_MS)
  }
}

/** The lines of a step that its reader sees. */
export function told({ log }) {
  return log
    .split('\n')
    .filter(line => !/^::(debug|add-mask|group|endgroup)::/.test(line))
    .join('\n')
}

export function numberOf({ outputs }, name) {
  return Number(outputs[name])
}

function warningsOf(...phases) {
  return phases.flatMap(phase =>
    [...(phase?.log ?? '').matchAll(/^::warning[^:]*::(.*)$/gm)].map(([, text]) => text)
  )
}
