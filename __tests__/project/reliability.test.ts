import { describe, expect, test } from '@jest/globals'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocument, root } from './documents.js'

const rows = readDocument('docs/reliability.md')
  .text.split('\n')
  .filter(line => /^\| (?!fault |:--)/.test(line))
  .map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim())
  )

describe('docs/reliability.md', () => {
  test('has rows of four cells', () => {
    expect(rows.length).toBeGreaterThan(50)
    expect(rows.filter(cells => cells.length !== 4)).toEqual([])
  })

  test.each(rows.map(cells => [cells[0] ?? '', cells[3] ?? '']))(
    'names a test that is there: %s',
    (_fault, cell) => {
      const [, file = '', name = ''] = /^`__tests__\/([\w/-]+\.test\.ts)` "(.+)"$/.exec(cell) ?? []
      const path = join(root, '__tests__', file)
      expect(existsSync(path) && file !== '').toBe(true)
      expect(readFileSync(path, 'utf8').includes(name) && name !== '').toBe(true)
    }
  )
})
