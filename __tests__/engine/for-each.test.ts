import { expect, test } from '@jest/globals'
import { forEach } from '../../src/engine/for-each.js'
import { MemoryClock } from '../support/memory-clock.js'

const wait = (clock: MemoryClock, milliseconds: number) =>
  new Promise<void>(resolve => clock.after(milliseconds, resolve))

test.each([
  { items: 10, atOnce: 3, most: 3 },
  { items: 2, atOnce: 3, most: 2 },
  { items: 0, atOnce: 3, most: 0 }
])('works on $items items, $atOnce at once', async ({ items, atOnce, most }) => {
  const clock = new MemoryClock()
  const seen: number[] = []
  const working = { now: 0, most: 0 }
  const work = async (item: number) => {
    seen.push(item)
    working.most = Math.max(working.most, ++working.now)
    await wait(clock, 10)
    working.now--
  }
  const all = Array.from({ length: items }, (_, index) => index)
  await clock.until(forEach(all, atOnce, work))
  expect(seen).toEqual(all)
  expect(working).toEqual({ now: 0, most })
})

test.each([0, () => 0])('works on one at a time when it is told none', async atOnce => {
  const seen: number[] = []
  await forEach([1, 2], atOnce, async item => {
    await Promise.resolve()
    seen.push(item)
  })
  expect(seen).toEqual([1, 2])
})

test('works on as many at once as it is told then', async () => {
  const clock = new MemoryClock()
  let most = 4
  const working: number[] = []
  let now = 0
  const work = async (item: number) => {
    working.push(++now)
    await wait(clock, 10)
    if (item === 3) most = 1
    if (item === 6) most = 3
    now--
  }
  const all = Array.from({ length: 10 }, (_, index) => index)
  await clock.until(forEach(all, () => most, work))
  expect(working).toEqual([1, 2, 3, 4, 1, 1, 1, 1, 2, 3])
})

test('begins nothing after a failure, and throws it when everything that was begun has ended', async () => {
  const clock = new MemoryClock()
  const begun: number[] = []
  const ended: number[] = []
  const work = async (item: number) => {
    begun.push(item)
    await wait(clock, 10 * item)
    if (item === 2) throw new Error('two')
    ended.push(item)
  }
  await expect(clock.until(forEach([1, 2, 5, 3, 4], 3, work))).rejects.toThrow('two')
  // When 2 failed, 5 was being worked on, and 3 in the place of 1.
  expect(begun).toEqual([1, 2, 5, 3])
  expect(ended).toEqual([1, 3, 5])
})
