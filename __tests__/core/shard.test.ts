import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { bytesOf, type PlannedFile } from '../../src/core/plan.js'
import { filesOfShard } from '../../src/core/shard.js'

const MEBIBYTE = 1024 * 1024

const remote = fc.string({ minLength: 1, unit: 'grapheme' })
const files = fc
  .uniqueArray(fc.record({ remote, size: fc.nat() }), { selector: file => file.remote, maxLength: 60 })
  .map(found => found.map(file => ({ ...file, local: `/project/${file.remote}` })))
const count = fc.integer({ min: 1, max: 40 })

function sharesOf(planned: readonly PlannedFile[], shards: number): PlannedFile[][] {
  return Array.from({ length: shards }, (_, at) => filesOfShard(planned, { index: at + 1, count: shards }))
}

/** The shard of every path. */
function placesOf(planned: readonly PlannedFile[], shards: number): Map<string, number> {
  return new Map(
    sharesOf(planned, shards).flatMap((share, at) => share.map(file => [file.remote, at + 1] as const))
  )
}

test('a single shard has all files, in order', () => {
  fc.assert(
    fc.property(files, planned => {
      expect(filesOfShard(planned, { index: 1, count: 1 })).toEqual(planned)
    })
  )
})

test('every file is in one shard, and no shard changes their order', () => {
  fc.assert(
    fc.property(files, count, (planned, shards) => {
      const shares = sharesOf(planned, shards)
      const at = (file: PlannedFile) => planned.indexOf(file)
      expect(shares.flat().sort((a, b) => at(a) - at(b))).toEqual(planned)
      for (const share of shares) expect(share).toEqual([...share].sort((a, b) => at(a) - at(b)))
    })
  )
})

test('no file moves because others come, go or change in size', () => {
  fc.assert(
    fc.property(files, files, fc.nat(), count, (before, others, size, shards) => {
      const known = new Set(before.map(file => file.remote))
      const after = [
        ...others.filter(file => !known.has(file.remote)),
        ...before.slice(1).map(file => ({ ...file, size }))
      ]
      const [places, now] = [placesOf(before, shards), placesOf(after, shards)]
      for (const file of before.slice(1)) expect(now.get(file.remote)).toBe(places.get(file.remote))
    })
  )
})

test('one shard more takes files to itself and moves no other', () => {
  fc.assert(
    fc.property(files, count, (planned, shards) => {
      const [places, now] = [placesOf(planned, shards), placesOf(planned, shards + 1)]
      for (const [path, shard] of now) expect([places.get(path), shards + 1]).toContain(shard)
    })
  )
})

test.each([
  ['a', 2],
  ['site/index.html', 3],
  ['日本語', 3],
  ['site/app.js', 4],
  ['site/app.css', 5]
])('%s is in shard %i of 5 in this version as in earlier ones, whose state lies there', (path, shard) => {
  expect(placesOf([{ local: path, remote: path, size: 1 }], 5).get(path)).toBe(shard)
})

describe('shards are balanced as far as chance allows', () => {
  /**
   * The standard deviation of a share is at most the square root of the sum of the squared sizes over the count of
   * shards: five of them are exceeded once in two million shares.
   */
  function expectBalance(planned: readonly PlannedFile[], shards: number): void {
    const deviation = Math.sqrt(planned.reduce((sum, { size }) => sum + size ** 2, 0) / shards)
    for (const share of sharesOf(planned, shards)) {
      expect(Math.abs(bytesOf(share) - bytesOf(planned) / shards)).toBeLessThan(5 * deviation)
    }
  }

  test.each([
    ['numbers', (index: number) => `site/${index}.bin`],
    ['the same names in many directories', (index: number) => `site/${index}/index.html`],
    ['names that differ in the first letter', (index: number) => `${String.fromCodePoint(0x4e00 + index)}/x`]
  ])('with %s', (_, nameOf) => {
    for (const shards of [3, 16]) {
      const planned = Array.from({ length: 2000 }, (_file, index) => ({
        local: '',
        remote: nameOf(index),
        size: ((index * 7919) % 97) * MEBIBYTE
      }))
      expectBalance(planned, shards)
    }
  })

  test('the fullest of 5 shards has at most a sixth more than its share of 1,000 like files', () => {
    const planned = Array.from({ length: 1000 }, (_, index) => ({
      local: '',
      remote: `assets/chunk-${index}.js`,
      size: MEBIBYTE
    }))
    const fullest = Math.max(...sharesOf(planned, 5).map(bytesOf))
    expect(fullest).toBeLessThan((7 / 6) * 200 * MEBIBYTE)
  })
})
