import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { folded } from '../../src/core/folded.js'

test.each([
  ['Site/APP.js', 'site/app.JS'],
  ['caf\u00e9', 'cafe\u0301'],
  ['CAF\u00c9', 'cafe\u0301'],
  // Its small letter has no composed form of its own before it is a small letter.
  ['\u0130', 'i\u0307']
])('%j is %j', (one, other) => {
  expect(folded(one)).toBe(folded(other))
})

test.each([
  ['stra\u00dfe', 'strasse'],
  ['cafe', 'caf\u00e9'],
  ['a/b', 'ab'],
  ['a', 'a ']
])('%j is not %j', (one, other) => {
  expect(folded(one)).not.toBe(folded(other))
})

test('of any path is the same once more, and composed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), path => {
      expect(folded(folded(path))).toBe(folded(path))
      expect(folded(path).normalize('NFC')).toBe(folded(path))
    })
  )
})
