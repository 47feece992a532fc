import { expect, test } from '@jest/globals'
import { drain } from '../../src/engine/drain.js'
import { MemoryClock } from '../support/memory-clock.js'

const clock = new MemoryClock()

async function after<T>(milliseconds: number, end: () => T): Promise<T> {
  await new Promise<void>(resolve => clock.after(milliseconds, resolve))
  return end()
}

test('gives the values in their order, whichever came first', async () => {
  const drained = drain([after(20, () => 'a'), after(10, () => 2), 'c'])
  expect(await clock.until(drained)).toEqual(['a', 2, 'c'])
})

test('throws the first failure of the list when everything has settled', async () => {
  const ended: string[] = []
  const fail = (name: string) => () => {
    ended.push(name)
    throw new Error(name)
  }
  const drained = drain([after(30, () => ended.push('a')), after(20, fail('b')), after(10, fail('c'))])
  await expect(clock.until(drained)).rejects.toThrow('b')
  expect(ended).toEqual(['c', 'b', 'a'])
})
