import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Throughput } from '../../src/core/throughput.js'

const SECOND = 1000

test('tells the bytes a second of each part', () => {
  const throughput = new Throughput()
  throughput.add(100, 500)
  throughput.add(900, 500)
  throughput.add(2_500, 3_000)
  expect(throughput.rates(4, 4 * SECOND)).toEqual([1000, 0, 3000, 0])
})

test('spreads the bytes of a span over the parts that it lies in', () => {
  const throughput = new Throughput()
  throughput.add(0, 100) // in the first 50 ms
  expect(throughput.rates(2, 50)).toEqual([2000, 2000])
})

test('counts how often bytes came', () => {
  const throughput = new Throughput()
  expect(throughput.additions).toBe(0)
  throughput.add(1, 10)
  throughput.add(2, 0)
  expect(throughput.additions).toBe(2)
})

test('takes a clock that was set back for the start', () => {
  const throughput = new Throughput()
  throughput.add(-5_000, 100)
  expect(throughput.rates(1, SECOND)).toEqual([100])
})

describe('a run of any length', () => {
  test.each([25_599, 25_600, 25_601])('keeps bytes that come when its curve is full (%i ms)', atMs => {
    const throughput = new Throughput()
    throughput.add(0, 100)
    throughput.add(atMs, 900)
    expect(throughput.rates(1, 100 * SECOND)).toEqual([10])
  })

  test('keeps its curve, in a precision that fits its length', () => {
    const throughput = new Throughput()
    const hours = 72
    for (let second = 0; second < hours * 3600; second += 10) {
      throughput.add(second * SECOND, second < 36 * 3600 ? 10_000 : 20_000)
    }
    const rates = throughput.rates(8, hours * 3600 * SECOND)
    expect(rates.map(rate => Math.round(rate / 20) * 20)).toEqual([
      1000, 1000, 1000, 1000, 2000, 2000, 2000, 2000
    ])
  })

  test('loses no byte, in whatever order and however far apart they come', () => {
    const additions = fc.array(fc.tuple(fc.nat(10 ** 12), fc.nat(10 ** 9)), { maxLength: 50 })
    fc.assert(
      fc.property(additions, fc.integer({ min: 1, max: 60 }), (added, parts) => {
        const throughput = new Throughput()
        for (const [atMs, bytes] of added) throughput.add(atMs, bytes)
        const elapsedMs = Math.max(1, ...added.map(([atMs]) => atMs))
        const rates = throughput.rates(parts, elapsedMs)
        const sum = rates.reduce((total, rate) => total + (rate * elapsedMs) / parts / SECOND, 0)
        expect(rates).toHaveLength(parts)
        expect(Math.round(sum)).toBe(added.reduce((total, [, bytes]) => total + bytes, 0))
      })
    )
  })
})
