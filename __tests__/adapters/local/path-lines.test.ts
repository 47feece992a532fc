import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parsePathLines } from '../../../src/adapters/local/path-lines.js'
import { UploadError } from '../../../src/core/errors.js'
import { planUpload } from '../../../src/core/plan.js'

test('whatever the lines say, a remote side is a path below remote-path, or the line is refused by number', () => {
  const piece = fc.constantFrom(
    '=>',
    ' => ',
    '..',
    '/',
    '~',
    '\\',
    '.',
    '!',
    '#',
    '*',
    ' ',
    '\t',
    '\0',
    '\u2028',
    'a',
    'dist'
  )
  const pieces = fc
    .array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 10 })
    .map(parts => parts.join(''))
  const path = fc.array(fc.constantFrom('..', '.', '/', 'a', '~', '\\', '\0', ' '), { maxLength: 5 })
  const line = fc.oneof(
    pieces,
    path.map(parts => `dist => ${parts.join('')}`)
  )
  const property = fc.property(fc.array(line, { maxLength: 4 }), lines => {
    let parsed
    try {
      parsed = parsePathLines(lines)
    } catch (error) {
      if (!(error instanceof UploadError)) throw error
      expect(error.code).toBe('invalid-input')
      expect(error.message).toMatch(/^paths(?: line \d+ \(".*"\))?: /s)
      return
    }
    for (const { remote, pattern, number } of parsed.mapped) {
      expect(lines[number - 1]).toContain(pattern)
      for (const part of remote) expect(part).not.toMatch(/^\.{0,2}$|[/\\\p{Cc}]/u)
      const place = remote.length === 0 ? ['file'] : remote
      const [file] = planUpload([{ local: '/x', place, size: 1 }], 'base')
      expect(file?.remote.startsWith('base/')).toBe(true)
    }
  })
  fc.assert(property, { numRuns: 2000 })
})
