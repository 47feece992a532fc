import { expect, test } from '@jest/globals'
import { plausibleFreeBytes } from '../../../src/adapters/sftp/free-space.js'

test('free bytes are those that others than root may use', () => {
  expect(plausibleFreeBytes({ f_frsize: 4096, f_blocks: 1000, f_bavail: 900 })).toBe(900 * 4096)
  expect(plausibleFreeBytes({ f_frsize: 512, f_blocks: 2 ** 63, f_bavail: 2 ** 63 })).toBe(2 ** 72)
})

test.each([
  ['nothing free', { f_frsize: 4096, f_blocks: 1000, f_bavail: 0 }],
  ['no blocks at all', { f_frsize: 4096, f_blocks: 0, f_bavail: 0 }],
  ['more free than there is', { f_frsize: 4096, f_blocks: 10, f_bavail: 11 }],
  ['no block size', { f_frsize: 0, f_blocks: 1000, f_bavail: 900 }],
  ['a block of one byte', { f_frsize: 1, f_blocks: 1000, f_bavail: 900 }]
])('an answer of %s tells nothing', (_name, space) => {
  expect(plausibleFreeBytes(space)).toBeUndefined()
})
