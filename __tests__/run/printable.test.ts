import { expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { printable } from '../../src/run/printable.js'

test.each([
  ['dist/größe 日本.zip', 'dist/größe 日本.zip'],
  ['a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['\u001b[31mred', '\\x1b[31mred'],
  ['a\u0085b', 'a\\x85b'],
  ['a\u202egpj.exe', 'a\\u{202e}gpj.exe'],
  ['a\u2028b', 'a\\u{2028}b'],
  ['a\ud800b', 'a\\u{d800}b'],
  ['::error::x', '\\x3a:error::x'],
  ['  ::error::x', '  \\x3a:error::x'],
  ['a ##[error]x', 'a ##\\x5berror]x'],
  ['a::b', 'a::b']
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown)
})

test('long text is cut off', () => {
  expect(printable('x'.repeat(2000), 10)).toBe(`${'x'.repeat(10)}…`)
})

test('no text makes a second line or a command', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(':', '#', '[', ' ', '\n', '\u2029', '\u00a0', 'x') }),
      text => {
        const shown = printable(text)
        expect(shown).not.toMatch(/^\s*::|##\[|[\r\n\u2028\u2029]/)
      }
    )
  )
})
