import { describe, expect, test } from '@jest/globals'
import { type ErrorCode, UploadError } from '../../src/core/errors.js'
import { explain } from '../../src/core/failure-help.js'

describe('a failure of a file says what to do', () => {
  test.each<[ErrorCode, RegExp]>([
    ['no-files', /earlier step.*include-hidden-files/],
    ['connection-lost', /retries/],
    ['stalled', /stall-timeout/],
    ['protocol', /debug logging/],
    ['not-found', /remote-path.*login directory/],
    ['permission', /ls -ld.*remote-path/],
    ['wrong-type', /local => remote/],
    ['no-space', /df -h.*quota/],
    ['unsupported', /connections: 1/],
    ['server-failure', /full or read-only disk, a quota[^]*another disk[^]*df -h/],
    ['source-changed', /before this step/],
    ['source-unreadable', /permissions/],
    ['not-verified', /did not get its name/],
    ['withheld', /publish: together.*whole[^]*waits for/]
  ])('%s', (code, todo) => {
    const [first, ...help] = explain(new UploadError(code, 'open app.zip: what was seen')).split('\n')
    expect(first).toBe('open app.zip: what was seen')
    expect(help.join('\n')).toMatch(todo)
    expect(help).toHaveLength(2)
    for (const line of help) expect(line).toMatch(/^[A-Zc].+\.$/)
  })
})

test('a message that says it already is left as it is', () => {
  const message = 'connect to example.com: refused\nA firewall.\nOpen it.'
  expect(explain(new UploadError('protocol', message))).toBe(message)
})

test.each<ErrorCode>([
  'cancelled',
  'invalid-input',
  'private-key',
  'host-key',
  'login',
  'unknown-host',
  'unreachable'
])('a failure whose message depends on more than its code has no other help: %s', code => {
  expect(explain(new UploadError(code, 'the run was told to stop'))).toBe('the run was told to stop')
})
