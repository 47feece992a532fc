import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockCount, blockRange } from '../../src/core/blocks.js'
import { inHexadecimal, Ledger } from '../../src/core/ledger.js'

const MIB = 1024 * 1024

/** A ledger that acknowledged these blocks in this order; the digest of block 3 is `digest 3`. */
function ledgerOf(fileSize: number, ...acknowledged: readonly number[]): Ledger {
  const ledger = new Ledger(fileSize)
  for (const index of acknowledged) ledger.acknowledge(index, `digest ${index}`)
  return ledger
}

describe('a new ledger', () => {
  test('claims nothing', () => {
    const ledger = new Ledger(3 * MIB)
    expect(ledger.acknowledged()).toEqual([])
    expect(ledger.missing()).toEqual([0, 1, 2])
    expect(ledger.recent()).toEqual([])
    expect(ledger.acknowledgedBytes()).toBe(0)
    expect(ledger.acknowledgedEnd()).toBe(0)
    expect(ledger.digestOf(0)).toBeUndefined()
    expect(ledger.complete()).toBe(false)
  })

  test('of an empty file is complete', () => {
    const ledger = new Ledger(0)
    expect(ledger.complete()).toBe(true)
    expect(ledger.missing()).toEqual([])
  })
})

describe('acknowledging', () => {
  test('keeps the digest of what was sent', () => {
    const ledger = ledgerOf(3 * MIB, 1)
    expect(ledger.digestOf(1)).toBe('digest 1')
    expect(ledger.digestOf(0)).toBeUndefined()
  })

  test('lists blocks in the order of the file, and the recent ones in the order of their acknowledgement', () => {
    const ledger = ledgerOf(12 * MIB, 10, 2, 0, 9)
    expect(ledger.acknowledged()).toEqual([0, 2, 9, 10])
    expect(ledger.missing()).toEqual([1, 3, 4, 5, 6, 7, 8, 11])
    expect(ledger.recent()).toEqual([10, 2, 0, 9])
  })

  test('counts the short last block by its bytes', () => {
    const ledger = ledgerOf(2 * MIB + 7, 2)
    expect(ledger.acknowledgedBytes()).toBe(7)
    expect(ledger.acknowledgedEnd()).toBe(2 * MIB + 7)
    ledger.acknowledge(0, 'zero')
    ledger.acknowledge(1, 'one')
    expect(ledger.complete()).toBe(true)
  })

  test('a block again counts it once, with the later digest, as the most recent', () => {
    const ledger = ledgerOf(3 * MIB, 0, 1)
    ledger.acknowledge(0, 'sent again')
    expect(ledger.acknowledgedBytes()).toBe(2 * MIB)
    expect(ledger.digestOf(0)).toBe('sent again')
    expect(ledger.recent()).toEqual([1, 0])
  })

  test('remembers the order of the latest 128 only', () => {
    const all = Array.from({ length: 200 }, (_, index) => 199 - index)
    const ledger = ledgerOf(200 * MIB, ...all)
    expect(ledger.recent()).toEqual(all.slice(72))
    expect(ledger.complete()).toBe(true)
  })

  test('the end is behind the last acknowledged block, whatever is missing before it', () => {
    expect(ledgerOf(9 * MIB, 5, 1).acknowledgedEnd()).toBe(6 * MIB)
  })

  test.each([-1, 3, 0.5, NaN, Infinity])('refuses block %p of a file of three', index => {
    const ledger = new Ledger(2 * MIB + 1)
    expect(() => ledger.acknowledge(index, 'digest')).toThrow(
      new RangeError(`block ${index} of a file of 3 blocks`)
    )
    expect(ledger.acknowledgedBytes()).toBe(0)
  })

  test('tells what was acknowledged in ranges of bytes, with neighbours as one', () => {
    const ledger = new Ledger(5 * MIB + 7)
    expect(ledger.acknowledgedRanges()).toEqual([])
    for (const index of [5, 0, 4, 2]) ledger.acknowledge(index, 'digest')
    expect(ledger.acknowledgedRanges()).toEqual([
      { offset: 0, length: MIB },
      { offset: 2 * MIB, length: MIB },
      { offset: 4 * MIB, length: MIB + 7 }
    ])
  })

  test('refuses any block of an empty file', () => {
    expect(() => new Ledger(0).acknowledge(0, 'digest')).toThrow(RangeError)
  })
})

describe('forgetting', () => {
  test('makes the block missing again', () => {
    const ledger = ledgerOf(3 * MIB, 0, 1, 2)
    ledger.forget(1)
    expect(ledger.missing()).toEqual([1])
    expect(ledger.digestOf(1)).toBeUndefined()
    expect(ledger.recent()).toEqual([0, 2])
    expect(ledger.acknowledgedBytes()).toBe(2 * MIB)
  })

  test.each([1, 99, -1])('block %p, which is not acknowledged, changes nothing', index => {
    const ledger = ledgerOf(3 * MIB, 0, 2)
    ledger.forget(index)
    expect(ledger.acknowledged()).toEqual([0, 2])
    expect(ledger.acknowledgedBytes()).toBe(2 * MIB)
  })

  test.each([
    { bytes: 0, left: [4, 0, 3, 1] },
    { bytes: 1, left: [4, 0, 3] },
    { bytes: MIB, left: [4, 0, 3] },
    { bytes: MIB + 1, left: [4, 0] },
    { bytes: 3 * MIB, left: [4] },
    { bytes: 3 * MIB + 7, left: [] },
    { bytes: 50 * MIB, left: [] }
  ])('the recent $bytes bytes takes whole blocks, the latest first', ({ bytes, left }) => {
    const ledger = ledgerOf(4 * MIB + 7, 4, 0, 3, 1)
    ledger.forgetRecent(bytes)
    expect(ledger.recent()).toEqual(left)
    expect(ledger.acknowledged()).toEqual(left.toSorted((a, b) => a - b))
  })
})

type Step =
  | { readonly do: 'acknowledge'; readonly index: number; readonly digest: string }
  | { readonly do: 'forget'; readonly index: number }
  | { readonly do: 'forgetRecent'; readonly bytes: number }

const index = fc.nat(99)
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('acknowledge' as const), index, digest: fc.string() })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forgetRecent' as const), bytes: fc.nat(8 * MIB) }) }
)
const steps: fc.Arbitrary<Step[]> = fc.array(step, { maxLength: 150, size: 'max' })
const fileSize = fc.oneof(fc.nat(8 * MIB), fc.nat(100 * MIB), fc.constantFrom(0, 1, MIB, 70 * MIB))

const lengthOf = (size: number, blocks: readonly number[]) =>
  blocks.reduce((bytes, block) => bytes + blockRange(size, block).length, 0)

describe('after any sequence of acknowledging and forgetting', () => {
  test('a ledger holds exactly what was acknowledged and not forgotten', () => {
    fc.assert(
      fc.property(fileSize, steps, (size, sequence) => {
        const ledger = new Ledger(size)
        const digests = new Map<number, string>()
        for (const step of sequence) {
          if (step.do === 'acknowledge' && step.index < blockCount(size)) {
            ledger.acknowledge(step.index, step.digest)
            digests.set(step.index, step.digest)
            expect(ledger.recent().at(-1)).toBe(step.index)
          } else if (step.do === 'forget') {
            ledger.forget(step.index)
            digests.delete(step.index)
          } else if (step.do === 'forgetRecent') {
            const before = ledger.recent()
            ledger.forgetRecent(step.bytes)
            const forgotten = before.slice(ledger.recent().length)
            for (const block of forgotten) digests.delete(block)
            expect(ledger.recent()).toEqual(before.slice(0, before.length - forgotten.length))
            if (ledger.recent().length > 0) {
              expect(lengthOf(size, forgotten)).toBeGreaterThanOrEqual(step.bytes)
            }
            if (forgotten.length > 0) expect(lengthOf(size, forgotten.slice(1))).toBeLessThan(step.bytes)
          }
        }
        const acknowledged = [...digests.keys()].sort((a, b) => a - b)
        expect(ledger.acknowledged()).toEqual(acknowledged)
        expect(acknowledged.map(block => ledger.digestOf(block))).toEqual(
          acknowledged.map(block => digests.get(block))
        )
      })
    )
  })

  test('its counts, lists and claims agree with each other', () => {
    fc.assert(
      fc.property(fileSize, steps, (size, sequence) => {
        const ledger = new Ledger(size)
        for (const step of sequence) {
          if (step.do === 'forgetRecent') ledger.forgetRecent(step.bytes)
          else if (step.do === 'forget') ledger.forget(step.index)
          else if (step.index < blockCount(size)) ledger.acknowledge(step.index, step.digest)

          const acknowledged = ledger.acknowledged()
          const missing = ledger.missing()
          const all = Array.from({ length: blockCount(size) }, (_, block) => block)
          expect([...acknowledged, ...missing].sort((a, b) => a - b)).toEqual(all)
          expect(ledger.acknowledgedBytes()).toBe(lengthOf(size, acknowledged))
          expect(ledger.complete()).toBe(missing.length === 0)
          const last = acknowledged.at(-1)
          const end = last === undefined ? 0 : blockRange(size, last).offset + blockRange(size, last).length
          expect(ledger.acknowledgedEnd()).toBe(end)
          const recent = ledger.recent()
          expect(recent.length).toBeLessThanOrEqual(128)
          expect(new Set(recent).size).toBe(recent.length)
          expect(recent.filter(block => ledger.digestOf(block) === undefined)).toEqual([])
        }
      }),
      { numRuns: 30 }
    )
  })
})

test('a digest is told as sha256sum writes it', () => {
  // Of nothing.
  expect(inHexadecimal('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=')).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  )
})
