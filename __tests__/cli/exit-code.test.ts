import { expect, test } from '@jest/globals'
import type { ErrorCode } from '../../src/core/errors.js'
import { exitCodeOf, exitCodeOfSignal } from '../../src/cli/exit-code.js'

/** The compiler holds it complete. */
const EXPECTED: Record<ErrorCode, number> = {
  'no-files': 1,
  'not-found': 1,
  permission: 1,
  'wrong-type': 1,
  'no-space': 1,
  unsupported: 1,
  'server-failure': 1,
  'source-changed': 1,
  'source-unreadable': 1,
  'not-verified': 1,
  withheld: 1,
  'invalid-input': 2,
  'private-key': 2,
  'unknown-host': 3,
  unreachable: 3,
  'connection-lost': 3,
  stalled: 3,
  protocol: 3,
  'host-key': 4,
  login: 4,
  cancelled: 130
}

test.each(Object.entries(EXPECTED) as [ErrorCode, number][])('%s ends with %i', (code, expected) => {
  expect(exitCodeOf(code)).toBe(expected)
})

test('a signal ends as in a shell', () => {
  expect([exitCodeOfSignal('SIGINT'), exitCodeOfSignal('SIGTERM'), exitCodeOfSignal('SIGBREAK')]).toEqual([
    130, 143, 130
  ])
})
