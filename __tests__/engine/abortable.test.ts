import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { abortable } from '../../src/engine/abortable.js'

const unhandled: unknown[] = []
const note = (reason: unknown) => void unhandled.push(reason)

beforeEach(() => void process.on('unhandledRejection', note))
afterEach(() => void process.off('unhandledRejection', note))

test('work that is given up may fail later, and ends no process', async () => {
  const signal = AbortSignal.abort(new Error('told to stop'))
  const late = turn().then(() => Promise.reject(new Error('late')))
  await expect(abortable(late, signal)).rejects.toThrow('told to stop')
  for (let turns = 0; turns < 5; turns++) await turn()
  expect(unhandled).toEqual([])
})

test('nothing is left at the signal when the work has ended', async () => {
  const { signal } = new AbortController()
  expect(await abortable(turn(5), signal)).toBe(5)
  const refused = turn().then(() => Promise.reject(new Error('refused')))
  await expect(abortable(refused, signal)).rejects.toThrow('refused')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('the signal ends the wait', async () => {
  const stop = new AbortController()
  const waiting = abortable(new Promise(() => undefined), stop.signal)
  stop.abort(new Error('told to stop'))
  await expect(waiting).rejects.toThrow('told to stop')
})
