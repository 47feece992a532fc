import { expect, test } from '@jest/globals'
import { formatJson } from '../../src/cli/json-report.js'
import { UploadError } from '../../src/core/errors.js'
import { failed, file, planned, skipped, uploaded } from '../run/results.js'

test('the report has the totals, each file and why', () => {
  const full = new UploadError('no-space', 'write b: No space left on device')
  const results = [uploaded(file('a'), 400), failed(file('b'), full, 200), skipped(file('c'))]
  const deletion = { removed: ['x', 'y/'], planned: [] }
  const line = formatJson({ results, elapsedMs: 1500, deletion }, full)
  expect(line).not.toContain('\n')
  const error = { code: 'no-space', message: 'write b: No space left on device' }
  expect(JSON.parse(line)).toMatchObject({
    state: 'incomplete',
    uploadedCount: 1,
    resumedCount: 1,
    skippedCount: 1,
    failedCount: 1,
    deletedCount: 2,
    totalBytes: 3000,
    sentBytes: 800,
    reusedBytes: 1400,
    elapsedMs: 1500,
    error,
    files: [
      { remote: 'a', status: 'uploaded', sentBytes: 600, reusedBytes: 400 },
      { remote: 'b', status: 'failed', error },
      { remote: 'c', status: 'skipped' }
    ]
  })
})

test('the report of a whole upload has no error', () => {
  const report = JSON.parse(formatJson({ results: [uploaded(file('a'))], elapsedMs: 1 }, undefined)) as object
  expect(report).toMatchObject({ state: 'complete', failedCount: 0 })
  expect(report).not.toHaveProperty('error')
})

test('the report of a dry run that would upload is not complete', () => {
  const report = JSON.parse(formatJson({ results: [planned(file('a'))], elapsedMs: 1 }, undefined)) as object
  expect(report).toMatchObject({ state: 'incomplete', failedCount: 0 })
})
