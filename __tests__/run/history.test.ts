import { expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { Historian } from '../../src/run/history.js'
import { file } from './results.js'

const LOST = new UploadError('connection-lost', 'read ECONNRESET')

test('follows what was acknowledged and what was tried again, until the last event', () => {
  let now = 5_000
  const historian = new Historian(() => now)
  const acknowledge = (at: number, bytes: number) => {
    now = at
    historian.take({ type: 'acknowledged', file: file('a'), bytes })
  }
  acknowledge(5_500, 100)
  now = 6_000
  historian.take({ type: 'retrying', error: LOST, delayMs: 1_000, attempt: 1, attempts: 5 })
  acknowledge(8_000, 300)
  now = 9_000
  historian.take({ type: 'notice', text: 'the last event' })
  now = 60_000

  const { startedAt, elapsedMs, throughput, attempts } = historian.tell()
  expect({ startedAt, elapsedMs }).toEqual({ startedAt: 5_000, elapsedMs: 4_000 })
  expect(throughput.rates(4, 4_000)).toEqual([100, 0, 0, 300])
  expect(attempts).toEqual([
    { count: 1, startMs: 0, endMs: 1_000, sentBytes: 100, failure: 'connection-lost' },
    { count: 1, startMs: 2_000, endMs: 4_000, sentBytes: 300, failure: undefined }
  ])
})

test('does not go back in time with the clock', () => {
  let now = 5_000
  const historian = new Historian(() => now)
  now = 7_000
  historian.take({ type: 'notice', text: '' })
  now = 1_000
  historian.take({ type: 'notice', text: '' })
  expect(historian.tell().elapsedMs).toBe(2_000)
})
