import { describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { UploadError } from '../../src/core/errors.js'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { inHexadecimal } from '../../src/core/ledger.js'
import type { FileResult } from '../../src/core/report.js'
import { PUBLISH_MODES } from '../../src/engine/context.js'
import { bytesOf } from '../support/memory-bytes.js'
import { cancelled, MemoryWorld, resultOf, type Outcome, type RunOptions } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = { a: 3 * MIB, b: 700_000, c: 0, d: 5 * MIB + 7, e: 10 }
const NAMES = Object.keys(SIZES)
const LINE = 64 + 3

/** The SHA-256 and the name of each file. */
function make(results: readonly FileResult[]): Buffer {
  return Buffer.from(
    results
      .map(
        ({ file, digest }) => `${digest === undefined ? '' : inHexadecimal(digest)} ${file.remote.slice(5)}\n`
      )
      .join('')
  )
}

const last = { name: 'sums', size: NAMES.length * LINE, make }

function worldOfFive(): MemoryWorld {
  const world = new MemoryWorld()
  for (const [index, [name, size]] of Object.entries(SIZES).entries())
    world.put(name, bytesOf(index + 1, size))
  return world
}

function run(world: MemoryWorld, options: RunOptions = {}): Promise<Outcome> {
  return world.run({ last, wholeDigests: true, connections: 2, ...options })
}

function expectSums(world: MemoryWorld): void {
  const expected = NAMES.map(name => {
    return `${createHash('sha256').update(world.localBytes(name)).digest('hex')} ${name}\n`
  })
  expect(world.remoteBytes('sums')?.toString()).toBe(expected.join(''))
}

describe.each(PUBLISH_MODES)('the last file, with publish: %s', publish => {
  test.each(VERIFY_MODES)('has the digests of all others, and comes after them (%s)', async verify => {
    const world = worldOfFive()
    const outcome = await run(world, { publish, verify })
    expectSums(world)
    expect(outcome.report.results.map(({ status }) => status)).toEqual(Array(6).fill('uploaded'))
    const { log } = world.server
    const others = log.findLastIndex(
      ({ operation, path }) => operation === 'replace' && !path.includes('sums')
    )
    expect(log.findIndex(({ path }) => path.includes('sums'))).toBeGreaterThan(others)
    expect(world.server.names('site')).toEqual([...NAMES, 'sums'])
  })

  test('has those of files that were in place, too, and is itself skipped', async () => {
    const world = worldOfFive()
    await world.run({ publish })
    await run(world, { publish, writer: { attempt: 2 } })
    expectSums(world)
    const outcome = await run(world, { publish, writer: { attempt: 3 } })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(Array(6).fill('skipped'))
  })

  test('waits for a file that fails: the older one stays', async () => {
    const world = worldOfFive()
    world.putOld('sums', bytesOf(9, 100))
    world.server.faults.push({ on: 'create', path: /site\/b\./, then: 'permission', times: Infinity })
    const outcome = await run(world, { publish })
    expect(resultOf(outcome, 'sums')).toMatchObject({ status: 'failed', error: { code: 'withheld' } })
    expect(world.remoteBytes('sums')).toHaveLength(100)
    expect(world.server.partsOf('site/sums')).toEqual([])

    world.server.faults.length = 0
    await run(world, { publish, writer: { attempt: 2 } })
    expectSums(world)
  })

  test('that cannot be made fails', async () => {
    const failing = {
      ...last,
      make: () => {
        throw new UploadError('source-unreadable', 'no room')
      }
    }
    const outcome = await run(worldOfFive(), { publish, last: failing })
    expect(resultOf(outcome, 'sums').error?.message).toBe('no room')
    expect(resultOf(outcome, 'a').status).toBe('uploaded')
  })

  test('that cannot be made for a reason of its own says which file it is', async () => {
    const failing = {
      ...last,
      make: () => {
        throw new TypeError('no such thing')
      }
    }
    const outcome = await run(worldOfFive(), { publish, last: failing })
    expect(resultOf(outcome, 'sums').error).toMatchObject({
      code: 'source-unreadable',
      message: 'write /project/sums: no such thing'
    })
  })

  test('is not made again after the line was cut', async () => {
    const world = worldOfFive()
    world.server.faults.push({ on: 'replace', path: /site\/sums/, then: 'cut-all' })
    const outcome = await run(world, { publish })
    expectSums(world)
    expect(resultOf(outcome, 'sums').status).toBe('uploaded')
    expect(world.disk.versions.get('/project/sums')).toHaveLength(1)
  })
})

test('a digest that takes long does not hold up the end of a run that is told to stop', async () => {
  const world = worldOfFive()
  world.disk.digestMs = 60_000
  const stop = new AbortController()
  const startedMs = world.clock.now()
  world.clock.after(70_000, () => stop.abort(cancelled()))
  const outcome = await run(world, { signal: stop.signal })
  expect(resultOf(outcome, 'a').error?.code).toBe('cancelled')
  expect(world.clock.now() - startedMs).toBeLessThanOrEqual(75_000)
  expect(world.disk.open).toBe(0)
})

test('a file whose local bytes changed while it was hashed fails', async () => {
  const world = worldOfFive()
  world.disk.digestMs = 1_000
  world.clock.after(2_500, () => world.put('d', bytesOf(70, SIZES.d), world.clock.now()))
  const outcome = await run(world)
  expect(resultOf(outcome, 'd').error?.code).toBe('source-changed')
})
