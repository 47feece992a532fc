import { expect, test } from '@jest/globals'
import { Pace } from '../../src/engine/pace.js'

const nothing = () => undefined

test('sets no limit before there is a line', () => {
  expect(new Pace(nothing).mostFiles).toBe(Infinity)
})

test.each([
  { lines: [0.1], most: 64 },
  { lines: [10], most: 400 },
  { lines: [200, 50], most: 2000 }
])('lets $most files be on their way over lines of $lines ms', ({ lines, most }) => {
  const pace = new Pace(nothing)
  for (const roundTripMs of lines) pace.noteLine({ roundTripMs })
  expect(pace.mostFiles).toBe(most)
})

test('follows what is known of a line', () => {
  const pace = new Pace(nothing)
  const line = { roundTripMs: 50 }
  pace.noteLine(line)
  line.roundTripMs = 5
  expect(pace.mostFiles).toBe(200)
})

test('lets more be on their way where files take long, and says so once', () => {
  let growths = 0
  const pace = new Pace(() => growths++)
  pace.noteLine({ roundTripMs: 1 })
  pace.noteFile(700)
  expect(pace.mostFiles).toBe(700)
  pace.noteFile(900)
  expect(pace.mostFiles).toBe(700)
  pace.noteFile(300)
  expect(pace.mostFiles).toBe(300)
  pace.noteFile(2)
  expect(pace.mostFiles).toBe(64)
  expect(growths).toBe(1)
})
