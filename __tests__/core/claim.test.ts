import { describe, expect, test } from '@jest/globals'
import { claimIds } from '../../src/core/claim.js'

const PART = '0123abcd'

function idOf(run: string, attempt: number, { partId = PART, job = 'deploy' } = {}): string {
  return claimIds(partId, { run, job, attempt }).id
}

describe('the ids of a claim', () => {
  test('are one that all jobs of a matrix give in the attempt, and nobody else', () => {
    expect(idOf('200', 1)).toMatch(/^[0-9a-f]{8}$/)
    expect(idOf('200', 1)).toBe(idOf('200', 1))
    const ids = [
      idOf('200', 1),
      idOf('200', 2),
      idOf('300', 1),
      idOf('20', 1),
      idOf('200', 1, { partId: 'deadbeef' }),
      idOf('200', 1, { job: 'release' }),
      PART
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('are those of earlier attempts, too, the latest first', () => {
    expect(claimIds(PART, { run: '200', job: 'deploy', attempt: 1 }).earlier).toEqual([])
    expect(claimIds(PART, { run: '200', job: 'deploy', attempt: 3 }).earlier).toEqual([
      idOf('200', 2),
      idOf('200', 1)
    ])
  })

  test('are those of no more than four of them', () => {
    const back = [49, 48, 47, 46].map(attempt => idOf('200', attempt))
    expect(claimIds(PART, { run: '200', job: 'deploy', attempt: 50 }).earlier).toEqual(back)
  })

  test('are of no attempt before the first', () => {
    expect(claimIds(PART, { run: '200', job: 'deploy', attempt: 0 }).earlier).toEqual([])
  })
})
