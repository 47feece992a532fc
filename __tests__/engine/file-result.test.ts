import { describe, expect, test } from '@jest/globals'
import { blockCount } from '../../src/core/blocks.js'
import { UploadError } from '../../src/core/errors.js'
import { Ledger } from '../../src/core/ledger.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { newProgress, type FileProgress } from '../../src/engine/file-progress.js'
import { resultOf } from '../../src/engine/file-result.js'

const MIB = 1024 * 1024
const error = new UploadError('permission', 'refused')

interface Given extends Partial<Pick<UploadRecord, 'whole' | 'published'>> {
  readonly size: number
  /** How many blocks were acknowledged: all. */
  readonly blocks?: number
}

function recorded({ size, blocks = blockCount(size), whole, published }: Given): FileProgress {
  const progress = newProgress({ local: 'a', remote: 'site/a', size })
  const ledger = new Ledger(size)
  for (let index = 0; index < blocks; index++) ledger.acknowledge(index, `of block ${index}`)
  const identity = { size, mtimeMs: 1, tail: undefined }
  progress.record = { partId: '0123abcd', identity, ledger, whole, published }
  return progress
}

describe('a result', () => {
  test('tells the bytes, and the time since the first attempt began', () => {
    const progress = recorded({ size: 3 * MIB })
    Object.assign(progress, { sentBytes: 5, reusedBytes: 7, startedMs: 1_000 })
    expect(resultOf(progress, 'uploaded', 1_250, undefined)).toMatchObject({
      file: progress.file,
      status: 'uploaded',
      sentBytes: 5,
      reusedBytes: 7,
      elapsedMs: 250,
      error: undefined
    })
  })

  test('of a file that was never begun took no time', () => {
    const progress = newProgress({ local: 'a', remote: 'site/a', size: 10 })
    const result = resultOf(progress, 'failed', 5_000, error)
    expect(result).toMatchObject({ elapsedMs: 0, error })
    expect(result.continuesWith).toBeUndefined()
  })
})

describe('what a re-run continues with', () => {
  test.each([
    { what: 'the blocks of a large file', size: 3 * MIB, blocks: 2, bytes: 2 * MIB },
    { what: 'nothing of a large file, so far', size: 3 * MIB, blocks: 0, bytes: 0 },
    { what: 'a small file that is whole', size: 10, whole: true, bytes: 10 },
    { what: 'an empty file that is whole', size: 0, whole: true, bytes: 0 },
    { what: 'nothing of a small file that is not: it is sent in one go', size: 10, bytes: undefined },
    { what: 'nothing of one of a whole block either', size: MIB, bytes: undefined }
  ])('is $what', ({ bytes, ...given }) => {
    expect(resultOf(recorded(given), 'failed', 1, error).continuesWith).toBe(bytes)
  })

  test.each([10, 3 * MIB])('is not told of a file that an earlier run published (%i bytes)', size => {
    const progress = recorded({ size, published: { size, mtime: 5 }, whole: true })
    expect(resultOf(progress, 'failed', 1, error).continuesWith).toBeUndefined()
  })

  test.each(['uploaded', 'skipped', 'planned'] as const)('is not told of a file that is %s', status => {
    expect(resultOf(recorded({ size: 3 * MIB }), status, 1, undefined).continuesWith).toBeUndefined()
  })
})

describe('the digest', () => {
  test.each(['uploaded', 'skipped'] as const)('of one block is that of the file (%s)', status => {
    const progress = recorded({ size: 10 })
    expect(resultOf(progress, status, 1, undefined).digest).toBe('of block 0')
  })

  test.each([0, 3 * MIB])('of others is known where the file was hashed (%i bytes)', size => {
    const progress = recorded({ size })
    expect(resultOf(progress, 'uploaded', 1, undefined).digest).toBeUndefined()
    progress.digest = 'of all'
    expect(resultOf(progress, 'uploaded', 1, undefined).digest).toBe('of all')
  })

  test.each(['failed', 'planned'] as const)('is not told of a file that is not in place (%s)', status => {
    for (const size of [10, 3 * MIB]) {
      const progress = recorded({ size })
      progress.digest = 'of all'
      expect(resultOf(progress, status, 1, undefined).digest).toBeUndefined()
    }
  })

  test('is not known of one block that nothing was recorded of', () => {
    const progress = newProgress({ local: 'a', remote: 'site/a', size: 10 })
    expect(resultOf(progress, 'skipped', 1, undefined).digest).toBeUndefined()
  })
})
