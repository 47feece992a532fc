import { describe, expect, test } from '@jest/globals'
import { Ledger } from '../../src/core/ledger.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { newProgress, reachedBytes } from '../../src/engine/file-progress.js'

const MIB = 1024 * 1024

/** Of a file whose first blocks were acknowledged. */
function reached(
  size: number,
  blocks: number,
  { published, startedMs = 1 }: { published?: UploadRecord['published']; startedMs?: number | null } = {}
): number {
  const ledger = new Ledger(size)
  for (let index = 0; index < blocks; index++) ledger.acknowledge(index, 'digest')
  const progress = newProgress({ local: 'a', remote: 'site/a', size })
  progress.record = { partId: '0123abcd', identity: { size, mtimeMs: 1, tail: undefined }, ledger, published }
  progress.startedMs = startedMs ?? undefined
  return reachedBytes(progress)
}

describe('what is reached of a file', () => {
  test('is nothing while nothing is known of it', () => {
    expect(reachedBytes(newProgress({ local: 'a', remote: 'site/a', size: 3 * MIB }))).toBe(0)
  })

  test.each([
    [0, 0],
    [2, 2 * MIB],
    [4, 3 * MIB + 7]
  ])('is what was acknowledged: %i blocks of 3 MiB and 7 bytes', (blocks, bytes) => {
    expect(reached(3 * MIB + 7, blocks)).toBe(bytes)
  })

  test('is nothing of what an earlier run left, until this one has looked', () => {
    expect(reached(3 * MIB, 2, { startedMs: null })).toBe(0)
    expect(reached(3 * MIB, 3, { startedMs: null, published: { size: 3 * MIB, mtime: 5 } })).toBe(0)
  })

  test.each([0, 10, 3 * MIB])(
    'is more once it is published, so that a rename is progress (%i bytes)',
    size => {
      expect(reached(size, 0, { published: { size, mtime: 5 } })).toBeGreaterThan(size)
    }
  )
})

test('a new file has not been sent again, and its part file is not whole', () => {
  expect(newProgress({ local: 'a', remote: 'site/a', size: 1 })).toMatchObject({
    file: { local: 'a', remote: 'site/a', size: 1 },
    sentAgain: false,
    whole: undefined,
    sentBytes: 0,
    reusedBytes: 0
  })
})
