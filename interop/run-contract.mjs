import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { ask } from './ask.mjs'
import { whenDone } from './cleanup.mjs'
import { contract } from './contract.mjs'
import { versionOf } from './debian.mjs'
import { openSite, TooLate } from './site.mjs'
import { mountSmallDisk } from './small-disk.mjs'
import { MIB } from './tree.mjs'

const SMALL = 12 * MIB
const AGAIN = '-again'
const TEST_LIMIT_MS = 120_000

/** Tests of one server: what it offers, the contract, and how many connections it takes. */
export const contractSize = contract.length + 2

/**
 * Starts a server, asks it what it offers, and runs the contract on it. Returns `whyNot` where that is not possible here;
 * else its `version`, what it `offers`, what was `seen` of its ways, and the `tests` with their errors.
 */
export async function runContract(server) {
  const whyNot = whyNotHere(server)
  if (whyNot !== undefined) return { server, whyNot, tests: [] }
  const folder = await mkdtemp(join(tmpdir(), 'interop-'))
  const tests = []
  const seen = { lanes: 0 }
  let started
  let offers
  // Before the server starts: some are shown the files as they are then.
  const disk = mountSmallDisk(join(folder, 'uploads', 'small'), SMALL)
  const close = whenDone(async () => {
    await started?.program.kill()
    await started?.stop?.()
    disk?.unmount()
    await rm(folder, { recursive: true, force: true })
  })
  try {
    await test(tests, 'it starts, and offers what it is known to offer', async () => {
      started = await server.start(folder)
      offers = await ask(started)
      const { ident, longestWrite, ...found } = offers
      assert.match(ident, /./)
      assert.ok(found.chunkSize <= longestWrite, `ssh2 would send ${found.chunkSize} bytes in two writes`)
      assert.deepEqual(found, pick(server.expected, Object.keys(found)))
    })
    if (offers !== undefined) {
      for (const [index, { name, run, needsDisk = false }] of contract.entries()) {
        if (needsDisk && (disk === undefined || !keepsOnDisk(started, server))) continue
        const runOn = async place => {
          const site = await openSite(started, place, disk)
          try {
            Object.assign(seen, await run(site, server))
          } catch (error) {
            // A machine with too much to do; once more tells more.
            if (!site.cacheWasLate || needsDisk || place.endsWith(AGAIN)) throw error
            await runOn(`${place}${AGAIN}`)
          } finally {
            seen.lanes = Math.max(seen.lanes, site.line.atOnce)
            await site.close()
          }
        }
        await test(tests, name, () => runOn(needsDisk ? 'small' : `test-${index}`))
      }
      await test(tests, 'it takes as many connections as are asked for', async () => {
        assert.equal(seen.lanes, server.expected.lanes)
      })
    }
    return { server, version: started?.version, offers, seen, tests }
  } finally {
    await close()
  }
}

/** A full disk can be made, and the server has to tell of it. */
function keepsOnDisk({ isRemoteStore = false }, { expected: { answersBeforeStored = false } }) {
  return !isRemoteStore && !answersBeforeStored
}

function whyNotHere({ packages, whyNot }) {
  const missing = packages.filter(name => versionOf(name) === undefined)
  return missing.length > 0 ? `${missing.join(', ')} cannot be installed` : whyNot?.()
}

async function test(tests, name, run) {
  const startedAt = performance.now()
  let error
  let timer
  try {
    await Promise.race([
      run(),
      new Promise((_, reject) => (timer = setTimeout(() => reject(tooLate()), TEST_LIMIT_MS)))
    ])
  } catch (thrown) {
    error = thrown
  }
  clearTimeout(timer)
  tests.push({ name, seconds: (performance.now() - startedAt) / 1000, error })
}

function tooLate() {
  return new TooLate(`no end within ${TEST_LIMIT_MS / 1000} s`)
}

function pick(values, names) {
  return Object.fromEntries(names.map(name => [name, values[name]]))
}
