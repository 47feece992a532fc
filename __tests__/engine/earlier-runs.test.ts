import { describe, expect, test } from '@jest/globals'
import { totalsOf } from '../../src/core/report.js'
import { sealText } from '../../src/core/seal.js'
import { formatUploadMeta } from '../../src/core/upload-meta.js'
import { RunLog } from '../../src/engine/run-log.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { count, MemoryWorld } from '../support/memory-world.js'

const MIB = 1024 * 1024

function newWorld(): MemoryWorld {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 12 * MIB))
  return world
}

describe('the runs before', () => {
  test('are told with what each sent and when, until everything is in place', async () => {
    const world = newWorld()
    const startedMs = world.clock.now()
    const first = await world.interrupt(4 * MIB)
    const second = await world.interrupt(3 * MIB, { writer: { attempt: 2 } })
    const third = await world.run({ writer: { attempt: 3 } })
    expect(first.report.earlier).toEqual([])
    expect(third.report.earlier?.map(({ sentBytes }) => sentBytes)).toEqual(
      [first, second].map(({ report }) => totalsOf(report.results).sentBytes)
    )
    const times = third.report.earlier?.flatMap(({ startedMs, endedMs }) => [startedMs, endedMs]) ?? []
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBe(startedMs)
    expect(times.at(-1)).toBeLessThanOrEqual(world.clock.now())

    world.put('app.zip', bytesOf(2, 5 * MIB))
    const next = await world.run({ writer: { run: '101' } })
    expect(next.report.earlier).toEqual([])
  })

  test('are told after a failure that left other files in place', async () => {
    const world = newWorld()
    world.put('notes.txt', bytesOf(3, 10))
    await world.interrupt(4 * MIB)
    const { report } = await world.run({ writer: { run: '101' } })
    expect(report.earlier).toHaveLength(1)
  })

  test('are not those of a run that may still be at work', async () => {
    const world = newWorld()
    await world.interrupt(4 * MIB)
    const { store } = world
    // As the checkpoint that was saved before the run was killed.
    const meta = store.meta(world.keys)
    store.text = sealText(world.keys, formatUploadMeta({ ...meta, closed: false }))
    const outcome = await world.run({ writer: { run: '101' } })
    expect(outcome.report.earlier).toEqual([])
    expect(count(outcome, 'notice')).toBe(1)
  })
})

describe('the log of the runs', () => {
  function open() {
    const clock = new MemoryClock()
    const file = { sentBytes: 0 }
    return { clock, file, log: new RunLog([file, { sentBytes: 0 }], clock), startedMs: clock.now() }
  }

  test('has this run when it sent something, and changes only when it sent more', async () => {
    const { clock, file, log, startedMs } = open()
    expect(log.soFar()).toEqual([])
    await clock.until(clock.sleep(5_000, new AbortController().signal))
    file.sentBytes = 7
    const after = [{ startedMs, endedMs: startedMs + 5_000, sentBytes: 7 }]
    expect(log.soFar()).toEqual(after)
    await clock.until(clock.sleep(9_000, new AbortController().signal))
    expect(log.soFar()).toEqual(after)
  })

  test('keeps the latest', () => {
    const { file, log } = open()
    const before = Array.from({ length: 20 }, (_, index) => ({
      startedMs: index,
      endedMs: index,
      sentBytes: 1
    }))
    log.recall(before)
    file.sentBytes = 1
    expect(log.soFar().slice(0, -1)).toEqual(before.slice(-7))
  })
})
