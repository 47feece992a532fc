import { describe, expect, test } from '@jest/globals'
import { claimIds } from '../../src/core/claim.js'

const PART = '0123abcd'

function idOf(run: string, attempt: number, partId = PART): string {
  return claimIds(partId, { run, attempt }).id
}

describe('the ids of a claim', () => {
  test('are one that all jobs of the attempt give, and nobody else', () => {
    expect(idOf('200', 1)).toMatch(/^[0-9a-f]{8}$/)
    expect(idOf('200', 1)).toBe(idOf('200', 1))
    const ids = [
      idOf('200', 1),
      idOf('200', 2),
      idOf('300', 1),
      idOf('20', 1),
      idOf('200', 1, 'deadbeef'),
      PART
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('are those of earlier attempts, too, the latest first', () => {
    expect(claimIds(PART, { run: '200', attempt: 1 }).earlier).toEqual([])
    expect(claimIds(PART, { run: '200', attempt: 3 }).earlier).toEqual([idOf('200', 2), idOf('200', 1)])
  })

  test('are those of no more than four of them', () => {
    const back = [49, 48, 47, 46].map(attempt => idOf('200', attempt))
    expect(claimIds(PART, { run: '200', attempt: 50 }).earlier).toEqual(back)
  })

  test('are of no attempt before the first', () => {
    expect(claimIds(PART, { run: '200', attempt: 0 }).earlier).toEqual([])
  })
})
