import { expect, test } from '@jest/globals'
import { OpenHandles } from '../../src/engine/open-handles.js'

test('whoever waits for a handle to be closed waits for that, and not where none is open', async () => {
  const all = new OpenHandles()
  await all.closed()
  all.noteOpened()
  let isClosed = false
  const closed = all.closed().then(() => (isClosed = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(isClosed).toBe(false)
  all.noteClosed(1)
  await closed
  expect(all.open).toBe(0)
})

test('more handles than were thought the most show that they were not', () => {
  const all = new OpenHandles()
  all.most = 1
  all.noteOpened()
  expect(all.most).toBe(1)
  all.noteOpened()
  expect(all.most).toBe(2)
  expect(all.mostFiles).toBe(1)
})

test.each([Infinity, 5])('fewer handles than the most, %d, do not change it', most => {
  const all = new OpenHandles()
  all.most = most
  all.noteOpened()
  expect(all.most).toBe(most)
})

test('all openings are answered when the last is, a refusal included', async () => {
  const all = new OpenHandles()
  let answer: () => void = () => undefined
  all.asked.add(new Promise<void>(resolve => (answer = resolve)))
  all.asked.add(Promise.reject(new Error('refused')))
  let areAnswered = false
  const answered = all.answered().then(() => (areAnswered = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(areAnswered).toBe(false)
  answer()
  await answered
})

test('the most that were open at once since a mark are known, whatever came before and is closed', () => {
  const all = new OpenHandles()
  const openAndClose = (opened: number, closed: number) => {
    for (let count = 0; count < opened; count++) all.noteOpened()
    all.noteClosed(closed)
  }
  openAndClose(9, 7)
  const early = all.mark()
  expect(all.peakSince(early)).toBe(2)
  openAndClose(3, 4)
  const late = all.mark()
  openAndClose(2, 1)
  expect([early, late].map(mark => all.peakSince(mark))).toEqual([5, 3])
  openAndClose(4, 6)
  expect([early, late].map(mark => all.peakSince(mark))).toEqual([6, 6])
})

test('others that are open, or were since a mark, are counted', () => {
  const all = new OpenHandles()
  all.noteOpened()
  const mark = all.mark()
  expect(all.othersSince(mark)).toBe(1)
  all.noteOpened()
  all.noteClosed(2)
  expect(all.othersSince(mark)).toBe(2)
  expect(all.othersSince(all.mark())).toBe(0)
})
