import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  byteUnit,
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatSpeed,
  timeUnit
} from '../../src/core/quantities.js'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

describe('bytes', () => {
  test.each([
    [0, '0 B'],
    [1, '1 B'],
    [512, '512 B'],
    [1023, '1023 B'],
    [KIB, '1.0 KiB'],
    [1.5 * MIB, '1.5 MiB'],
    [9.9 * MIB, '9.9 MiB'],
    [9.94 * MIB, '9.9 MiB'],
    [9.95 * MIB, '10 MiB'],
    [10 * MIB, '10 MiB'],
    [1023.4 * KIB, '1023 KiB'],
    [1023.5 * KIB, '1.0 MiB'],
    [MIB - 1, '1.0 MiB'],
    [30 * GIB, '30 GiB'],
    [1.2 * GIB, '1.2 GiB'],
    [2 ** 40, '1.0 TiB'],
    [2 ** 50, '1.0 PiB'],
    [2 ** 62, '4096 PiB']
  ])('%p are %p', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test('are a number below 1,024 of their unit, and never more than 5 % off', () => {
    const factors: Record<string, number> = { B: 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: 2 ** 40, PiB: 2 ** 50 }
    const bytes = fc.oneof(
      fc.maxSafeNat(),
      fc
        .tuple(fc.integer({ min: 0, max: 52 }), fc.integer({ min: -2, max: 2 }))
        .map(([power, step]) => Math.max(0, 2 ** power + step))
    )
    fc.assert(
      fc.property(bytes, amount => {
        const [, value = '', unit = ''] = /^(\d{1,4}(?:\.\d)?) (\w+)$/.exec(formatBytes(amount)) ?? []
        expect(Number(value)).toBeLessThan(1024)
        expect(Math.abs(Number(value) * (factors[unit] ?? NaN) - amount)).toBeLessThanOrEqual(amount * 0.05)
      })
    )
  })
})

describe('durations', () => {
  test.each([
    [0, '0.0 s'],
    [40, '0.0 s'],
    [400, '0.4 s'],
    [9_940, '9.9 s'],
    [9_950, '10 s'],
    [42_000, '42 s'],
    [59_499, '59 s'],
    [59_500, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [3_599_499, '59 min 59 s'],
    [3_599_500, '1 h 00 min'],
    [7_620_000, '2 h 07 min'],
    [360_000_000, '100 h 00 min']
  ])('%p ms are %p', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text)
  })
})

describe('speed', () => {
  test.each([
    [12 * MIB, 1000, '12 MiB/s'],
    [12 * MIB, 500, '24 MiB/s'],
    [0, 1000, '0 B/s'],
    [512, 4000, '128 B/s'],
    [5 * GIB, 0, ''],
    [5 * GIB, -3, '']
  ])('%p bytes in %p ms are %p', (bytes, milliseconds, text) => {
    expect(formatSpeed(bytes, milliseconds)).toBe(text)
  })
})

describe('the unit of an axis', () => {
  test.each([
    [0, 'B', 1],
    [1023, 'B', 1],
    [KIB, 'KiB', KIB],
    [MIB - 1, 'KiB', KIB],
    [MIB, 'MiB', MIB],
    [30 * GIB, 'GiB', GIB],
    [2 ** 50, 'PiB', 2 ** 50],
    [2 ** 63, 'PiB', 2 ** 50]
  ])('of %p bytes is %s', (bytes, symbol, size) => {
    expect(byteUnit(bytes)).toEqual({ symbol, size })
  })

  test.each([
    [0, 'ms', 1],
    [9_999, 'ms', 1],
    [10_000, 's', 1_000],
    [599_999, 's', 1_000],
    [600_000, 'min', 60_000],
    [35_999_999, 'min', 60_000],
    [36_000_000, 'h', 3_600_000]
  ])('of %p ms is %s', (milliseconds, symbol, size) => {
    expect(timeUnit(milliseconds)).toEqual({ symbol, size })
  })
})

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [123_456, '123,456'],
  [1_234_567, '1,234,567']
])('the number %i is %s', (value, text) => {
  expect(formatNumber(value)).toBe(text)
})

describe('counts', () => {
  test.each([
    [0, '0 files'],
    [1, '1 file'],
    [2000, '2,000 files']
  ])('of a regular word: %i are %s', (count, text) => {
    expect(formatCount(count, 'file')).toBe(text)
  })

  test.each([
    [1, '1 retry'],
    [3, '3 retries']
  ])('of another word: %i are %s', (count, text) => {
    expect(formatCount(count, 'retry', 'retries')).toBe(text)
  })
})
