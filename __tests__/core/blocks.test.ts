import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockCount, blockRange, blockSizeFor, runsOf, splitRange } from '../../src/core/blocks.js'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const TIB = 1024 * GIB

const fileSize = fc.oneof(
  fc.nat(64 * MIB),
  fc.maxSafeNat(),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: -1, max: 1 }))
    .map(([doublings, step]) => 4 * GIB * 2 ** doublings + step),
  fc
    .tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: -1, max: 1 }))
    .map(([blocks, step]) => blocks * MIB + step)
)

describe('the layout of a file', () => {
  test.each([
    { size: 0, block: MIB, count: 0 },
    { size: 1, block: MIB, count: 1 },
    { size: MIB - 1, block: MIB, count: 1 },
    { size: MIB, block: MIB, count: 1 },
    { size: MIB + 1, block: MIB, count: 2 },
    { size: 4 * GIB, block: MIB, count: 4096 },
    { size: 4 * GIB + 1, block: 2 * MIB, count: 2049 },
    { size: 8 * GIB, block: 2 * MIB, count: 4096 },
    { size: 8 * GIB + 1, block: 4 * MIB, count: 2049 },
    { size: 5 * TIB, block: 2 * GIB, count: 2560 }
  ])('cuts $size bytes into $count blocks of $block', ({ size, block, count }) => {
    expect(blockSizeFor(size)).toBe(block)
    expect(blockCount(size)).toBe(count)
  })

  test('gives the last block what is left', () => {
    expect(blockRange(2 * MIB + 7, 0)).toEqual({ offset: 0, length: MIB })
    expect(blockRange(2 * MIB + 7, 1)).toEqual({ offset: MIB, length: MIB })
    expect(blockRange(2 * MIB + 7, 2)).toEqual({ offset: 2 * MIB, length: 7 })
  })

  test('is the smallest power of two MiB that leaves at most 4,096 blocks', () => {
    fc.assert(
      fc.property(fileSize, size => {
        const block = blockSizeFor(size)
        expect(Number.isInteger(Math.log2(block / MIB))).toBe(true)
        expect(blockCount(size)).toBeLessThanOrEqual(4096)
        if (block > MIB) expect(size).toBeGreaterThan((block / 2) * 4096)
      })
    )
  })

  test('tiles the file exactly, without an empty block', () => {
    fc.assert(
      fc.property(fileSize, size => {
        let end = 0
        let shortest = Infinity
        for (let index = 0; index < blockCount(size); index++) {
          const { offset, length } = blockRange(size, index)
          if (offset !== end) expect({ index, offset }).toEqual({ index, offset: end })
          shortest = Math.min(shortest, length)
          end += length
        }
        expect(end).toBe(size)
        expect(shortest).toBeGreaterThan(0)
      })
    )
  })
})

describe('splitting a range', () => {
  test.each([
    { name: 'nothing out of an empty range', offset: 5, length: 0, longest: 10, pieces: [] },
    { name: 'one piece that just fits', offset: 5, length: 10, longest: 10, pieces: [[5, 10]] },
    {
      name: 'halves rather than a piece and one byte',
      offset: 100,
      length: 12,
      longest: 10,
      pieces: [
        [100, 6],
        [106, 6]
      ]
    },
    {
      name: 'a last piece that is shorter',
      offset: 0,
      length: 10,
      longest: 4,
      pieces: [
        [0, 4],
        [4, 4],
        [8, 2]
      ]
    },
    {
      name: 'single bytes',
      offset: 7,
      length: 3,
      longest: 1,
      pieces: [
        [7, 1],
        [8, 1],
        [9, 1]
      ]
    }
  ])('gives $name', ({ offset, length, longest, pieces }) => {
    expect(splitRange({ offset, length }, longest).map(piece => [piece.offset, piece.length])).toEqual(pieces)
  })

  test('cuts a block into 34 chunks of the largest size that every server takes', () => {
    const chunks = splitRange({ offset: MIB, length: MIB }, 31_744)
    expect(chunks).toHaveLength(34)
    expect(new Set(chunks.slice(0, -1).map(({ length }) => length))).toEqual(new Set([30_841]))
  })

  test('tiles the range, with as few pieces as the longest allows, all but the last of one length', () => {
    const range = fc
      .record({ longest: fc.integer({ min: 1, max: 300_000 }), offset: fc.nat(2 ** 40) })
      .chain(({ longest, offset }) =>
        fc.record({
          longest: fc.constant(longest),
          offset: fc.constant(offset),
          length: fc.nat(100 * longest)
        })
      )
    fc.assert(
      fc.property(range, ({ offset, length, longest }) => {
        const pieces = splitRange({ offset, length }, longest)
        expect(pieces).toHaveLength(Math.ceil(length / longest))
        let end = offset
        for (const piece of pieces) {
          expect(piece.offset).toBe(end)
          expect(piece.length).toBeGreaterThan(0)
          expect(piece.length).toBeLessThanOrEqual(longest)
          end += piece.length
        }
        expect(end).toBe(offset + length)
        expect(new Set(pieces.slice(0, -1).map(piece => piece.length)).size).toBeLessThanOrEqual(1)
      })
    )
  })
})

describe('neighbouring blocks', () => {
  test.each([
    { indexes: [], runs: [] },
    { indexes: [0], runs: [{ first: 0, last: 0 }] },
    {
      indexes: [1, 2, 3, 5, 7, 8],
      runs: [
        { first: 1, last: 3 },
        { first: 5, last: 5 },
        { first: 7, last: 8 }
      ]
    }
  ])('$indexes make these runs: $runs', ({ indexes, runs }) => {
    expect(runsOf(indexes)).toEqual(runs)
  })
})
