import { describe, expect, test } from '@jest/globals'
import { type FileResult, stateOf, totalsOf } from '../../src/core/report.js'

function result(status: FileResult['status'], size: number, rest: Partial<FileResult> = {}): FileResult {
  const file = { local: `/project/${status}`, remote: status, size }
  return { file, status, sentBytes: 0, reusedBytes: 0, elapsedMs: 1, ...rest }
}

describe('the totals of an attempt', () => {
  test('of no files are all zero', () => {
    expect(totalsOf([])).toEqual({
      uploaded: 0,
      resumed: 0,
      skipped: 0,
      failed: 0,
      planned: 0,
      bytes: 0,
      sentBytes: 0,
      reusedBytes: 0,
      continuesWith: 0
    })
  })

  test('add up files by their status and bytes over all of them', () => {
    const results = [
      result('uploaded', 1_000, { sentBytes: 1_000 }),
      result('uploaded', 20_000, { sentBytes: 5_000, reusedBytes: 15_000 }),
      result('uploaded', 300, { sentBytes: 600 }),
      result('skipped', 4_000_000, { reusedBytes: 4_000_000 }),
      result('failed', 50_000_000, { sentBytes: 7, reusedBytes: 30, continuesWith: 37 }),
      result('failed', 600_000_000),
      result('planned', 7_000_000_000, { reusedBytes: 100_000_000 })
    ]
    expect(totalsOf(results)).toEqual({
      uploaded: 3,
      resumed: 1,
      skipped: 1,
      failed: 2,
      planned: 1,
      bytes: 7_654_021_300,
      sentBytes: 6_607,
      reusedBytes: 104_015_030,
      continuesWith: 37
    })
  })

  test.each([
    { name: 'kept bytes and is in place', status: 'uploaded', reusedBytes: 1, resumed: 1 },
    { name: 'was sent whole', status: 'uploaded', reusedBytes: 0, resumed: 0 },
    { name: 'was skipped', status: 'skipped', reusedBytes: 10, resumed: 0 },
    { name: 'kept bytes and failed', status: 'failed', reusedBytes: 10, resumed: 0 }
  ] as const)('count $resumed resumed for a file that $name', ({ status, reusedBytes, resumed }) => {
    expect(totalsOf([result(status, 10, { reusedBytes })]).resumed).toBe(resumed)
  })
})

describe('the state', () => {
  test.each([
    { statuses: [], state: 'complete' },
    { statuses: ['uploaded', 'skipped'], state: 'complete' },
    { statuses: ['uploaded', 'failed'], state: 'incomplete' },
    { statuses: ['skipped', 'planned'], state: 'incomplete' }
  ] as const)('after $statuses is $state', ({ statuses, state }) => {
    expect(stateOf(totalsOf(statuses.map(status => result(status, 10))))).toBe(state)
  })
})
