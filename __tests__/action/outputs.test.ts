import { expect, test } from '@jest/globals'
import { outputsOf } from '../../src/action/outputs.js'
import { UploadError } from '../../src/core/errors.js'
import { failed, file, planned, skipped, uploaded } from '../run/results.js'

const SHA256 = 'ab'.repeat(32)

test('tell counts, bytes and each file', () => {
  const whole = { ...uploaded(file('a')), digest: Buffer.from(SHA256, 'hex').toString('base64') }
  const results = [whole, uploaded(file('b'), 400), skipped(file('c'))]
  const { files, ...others } = outputsOf({ results, elapsedMs: 1 })
  expect(others).toEqual({
    state: 'complete',
    'uploaded-count': 2,
    'resumed-count': 1,
    'skipped-count': 1,
    'failed-count': 0,
    'deleted-count': 0,
    'total-bytes': 3000,
    'sent-bytes': 1600,
    'reused-bytes': 1400
  })
  const common = { size: 1000, sentBytes: 1000, reusedBytes: 0 }
  expect(JSON.parse(files)).toEqual([
    { ...common, local: '/project/a', remote: 'a', status: 'uploaded', sha256: SHA256 },
    { ...common, local: '/project/b', remote: 'b', status: 'uploaded', sentBytes: 600, reusedBytes: 400 },
    { ...common, local: '/project/c', remote: 'c', status: 'skipped', sentBytes: 0, reusedBytes: 1000 }
  ])
})

test('tell what was deleted, and not what a dry run would delete', () => {
  const results = [skipped(file('a'))]
  const deletion = { removed: ['x', 'y/'], planned: ['z'] }
  expect(outputsOf({ results, elapsedMs: 1, deletion })).toMatchObject({ 'deleted-count': 2 })
})

test('a file that a dry run would upload is planned, and not in place', () => {
  const outputs = outputsOf({ results: [planned(file('a'), 400), skipped(file('b'))], elapsedMs: 1 })
  expect(outputs).toMatchObject({
    state: 'incomplete',
    'uploaded-count': 0,
    'resumed-count': 0,
    'skipped-count': 1,
    'failed-count': 0,
    'sent-bytes': 0,
    'reused-bytes': 1400
  })
  expect(JSON.parse(outputs.files)).toMatchObject([{ remote: 'a', status: 'planned' }, { status: 'skipped' }])
})

test('one file that is not in place makes the state incomplete', () => {
  const results = [uploaded(file('a')), failed(file('b'), new UploadError('no-space', 'disk full'))]
  expect(outputsOf({ results, elapsedMs: 1 })).toMatchObject({ state: 'incomplete', 'failed-count': 1 })
})

test('nothing to upload is complete', () => {
  expect(outputsOf({ results: [], elapsedMs: 0 })).toMatchObject({ state: 'complete', files: '[]' })
})

test('the list of very many files stays within what an output may hold, failed files first', () => {
  const many = Array.from({ length: 100_000 }, (_, index) => uploaded(file(`assets/${index}`)))
  const results = [...many, failed(file('last'), new UploadError('no-space', 'disk full'))]
  const outputs = outputsOf({ results, elapsedMs: 1 })
  expect(Buffer.byteLength(outputs.files, 'utf16le')).toBeLessThan(1_000_000)
  const [first, ...others] = JSON.parse(outputs.files) as unknown[]
  expect(first).toMatchObject({ remote: 'last', status: 'failed' })
  expect(others.length).toBeGreaterThan(1000)
  expect(outputs['uploaded-count']).toBe(100_000)
})
