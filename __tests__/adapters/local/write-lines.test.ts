import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeLines } from '../../../src/adapters/local/write-lines.js'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'write-lines-'))
})
afterEach(() => rm(directory, { recursive: true }))

test('lines are written as they are, whatever their number', async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index} ${'ü'.repeat(index % 50)}\n`)
  const path = join(directory, 'made', 'lines')
  await writeLines(path, lines)
  expect(await readFile(path, 'utf8')).toBe(lines.join(''))
})
