import { expect, test } from '@jest/globals'
import { type UploadRun, withRun } from '../../src/core/upload-run.js'

const run = (startedMs: number, sentBytes = 100): UploadRun => ({
  startedMs,
  endedMs: startedMs + 5,
  sentBytes
})

test('a run that sent something comes last', () => {
  expect(withRun([run(1), run(2)], run(3))).toEqual([run(1), run(2), run(3)])
})

test('a run that sent nothing is none', () => {
  const runs = [run(1), run(2)]
  expect(withRun(runs, run(3, 0))).toEqual(runs)
  expect(withRun(runs, run(3, 0))).not.toBe(runs)
})

test('only the latest eight are kept', () => {
  const runs = Array.from({ length: 8 }, (_, index) => run(index))
  expect(withRun(runs, run(8)).map(({ startedMs }) => startedMs)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})
