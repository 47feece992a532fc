import { describe, expect, test } from '@jest/globals'
import { bytesOf } from '../support/memory-bytes.js'
import { count, MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024

/** Two files of 40 and 45 MiB: 21 MiB more than the check may be wrong by. */
function worldWith(freeBytes: number | undefined): MemoryWorld {
  const world = new MemoryWorld({ freeBytes })
  world.put('a', bytesOf(1, 40 * MIB))
  world.put('b', bytesOf(2, 45 * MIB))
  return world
}

describe('less free space than what remains to be sent', () => {
  test('ends the upload soon, once, and says both numbers', async () => {
    const world = worldWith(5 * MIB)
    const outcome = await world.run()
    for (const { error } of outcome.report.results) {
      expect(error?.code).toBe('no-space')
      // Some of it has arrived when the answer is there.
      expect(error?.message).toMatch(
        /^upload to site: [78]\d MiB remain to be sent; the server has 5\.0 MiB free$/
      )
    }
    expect(count(outcome, 'retrying')).toBe(0)
    expect(world.server.writtenBytes()).toBeLessThan(20 * MIB)
  })

  test('keeps what was sent for a later run', async () => {
    const world = worldWith(undefined)
    await world.interrupt(10 * MIB)
    const kept = world.record('a')?.ledger.acknowledgedBytes()
    world.server.traits.freeBytes = 1
    const short = await world.run({ writer: { attempt: 2 } })
    expect(resultOf(short, 'a')).toMatchObject({ error: { code: 'no-space' }, continuesWith: kept })
    world.server.traits.freeBytes = 200 * MIB
    const outcome = await world.run({ writer: { attempt: 3 } })
    expect(resultOf(outcome, 'a')).toMatchObject({ status: 'uploaded', reusedBytes: kept })
  })

  test('is found in the nearest directory that is there', async () => {
    const world = worldWith(20 * MIB)
    world.put('d/e/f', bytesOf(3, 10))
    const outcome = await world.run({ names: ['a', 'b', 'd/e/f'] })
    expect(resultOf(outcome, 'a').error?.code).toBe('no-space')
    expect(world.server.requests('freeBytes').map(({ path }) => path)).toEqual(['site', ''])
  })

  test.each(['each', 'together'] as const)(
    'does not count what replaced files free, if they do so in time (%s)',
    async publish => {
      const world = worldWith(20 * MIB)
      world.putOld('a', bytesOf(3, 10 * MIB))
      const outcome = await world.run({ publish })
      const failure = publish === 'each' ? undefined : 'no-space'
      expect(outcome.report.results.map(({ error }) => error?.code)).toEqual([failure, failure])
    }
  )

  test('does not count what is on the server already', async () => {
    const world = worldWith(undefined)
    await world.interrupt(30 * MIB)
    world.server.traits.freeBytes = 20 * MIB
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })
})

describe('no question', () => {
  test('is asked for a small upload', async () => {
    const world = new MemoryWorld({ freeBytes: 10 })
    world.put('a', bytesOf(1, 40 * MIB))
    expect(resultOf(await world.run(), 'a').status).toBe('uploaded')
    expect(world.server.requests('freeBytes')).toEqual([])
  })

  test('is waited for: bytes are on their way before the answer', async () => {
    const world = worldWith(20 * MIB)
    world.server.faults.push({ on: 'freeBytes', times: Infinity, then: 'unsupported' })
    const times: Record<string, number> = {}
    world.server.onRequest = ({ operation }) => {
      times[operation] ??= world.clock.now()
    }
    const outcome = await world.run()
    expect(times.freeBytes).toBe(times.stat)
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })
})

test('a line that is cut at the question is no trouble', async () => {
  const world = worldWith(200 * MIB)
  world.server.faults.push({ on: 'freeBytes', then: 'cut' })
  const outcome = await world.run()
  expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
})
