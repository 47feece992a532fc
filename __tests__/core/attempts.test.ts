import { describe, expect, test } from '@jest/globals'
import { AttemptLog } from '../../src/core/attempts.js'

test('a run without a failure is one attempt', () => {
  const log = new AttemptLog()
  log.add(10)
  log.add(5)
  expect(log.until(700)).toEqual([{ count: 1, startMs: 0, endMs: 700, sentBytes: 15, failure: undefined }])
})

test('the next attempt begins after the delay, with nothing sent', () => {
  const log = new AttemptLog()
  log.add(10)
  log.fail(1_000, 'connection-lost', 500)
  log.add(7)
  expect(log.until(3_000)).toEqual([
    { count: 1, startMs: 0, endMs: 1_000, sentBytes: 10, failure: 'connection-lost' },
    { count: 1, startMs: 1_500, endMs: 3_000, sentBytes: 7, failure: undefined }
  ])
})

test('an attempt that is waited for when the run ends is none', () => {
  const log = new AttemptLog()
  log.fail(1_000, 'stalled', 500)
  expect(log.until(1_200).map(({ endMs }) => endMs)).toEqual([1_000])
})

test('a run whose clock was set back is an attempt all the same', () => {
  const [attempt, ...others] = new AttemptLog().until(-5_000)
  expect(attempt).toMatchObject({ count: 1, startMs: 0, endMs: 0 })
  expect(others).toEqual([])
})

describe('very many attempts', () => {
  const log = new AttemptLog()
  const count = 1_001
  for (let second = 1; second < count; second++) {
    log.add(second)
    log.fail(second * 1000, second % 2 === 0 ? 'stalled' : 'unreachable', 0)
  }
  log.add(count)
  const told = log.until(count * 1000)

  test('are told in few entries', () => {
    expect(told.length).toBeLessThanOrEqual(13)
  })

  test('are all counted, with their bytes, without a gap', () => {
    expect(told.reduce((sum, entry) => sum + entry.count, 0)).toBe(count)
    expect(told.reduce((sum, entry) => sum + entry.sentBytes, 0)).toBe((count * (count + 1)) / 2)
    expect(told.slice(1).map(({ startMs }) => startMs)).toEqual(told.slice(0, -1).map(({ endMs }) => endMs))
  })

  test('are told one by one where they are the latest, and several by how the last of them ended', () => {
    expect(told.at(-1)).toMatchObject({ count: 1, startMs: 1_000_000, failure: undefined })
    expect(told[0]?.failure).toBe('stalled')
    expect(told[0]?.count).toBeGreaterThan(100)
  })
})
