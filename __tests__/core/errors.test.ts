import { describe, expect, test } from '@jest/globals'
import {
  codeOf,
  type ErrorCode,
  firstLine,
  isNotFound,
  isRefusal,
  isTransient,
  toUploadError,
  UploadError
} from '../../src/core/errors.js'

const TRANSIENT: Record<ErrorCode, boolean> = {
  'invalid-input': false,
  'no-files': false,
  'host-key': false,
  'private-key': false,
  login: false,
  'unknown-host': false,
  unreachable: true,
  'connection-lost': true,
  stalled: true,
  protocol: false,
  'not-found': false,
  permission: false,
  'wrong-type': false,
  'no-space': false,
  unsupported: false,
  'server-failure': false,
  'source-changed': false,
  'source-unreadable': false,
  'not-verified': false,
  withheld: false,
  cancelled: false
}
const codes = Object.keys(TRANSIENT) as ErrorCode[]

test.each([
  { thrown: Object.assign(new Error('no such file'), { code: 'ENOENT' }), code: 'ENOENT' },
  { thrown: { code: 'ENOENT' }, code: 'ENOENT' },
  { thrown: Object.assign(new Error('failure'), { code: 4 }), code: undefined },
  { thrown: new Error('ENOENT'), code: undefined },
  { thrown: 'ENOENT', code: undefined },
  { thrown: null, code: undefined },
  { thrown: undefined, code: undefined }
])('of $thrown the code is $code', ({ thrown, code }) => {
  expect(codeOf(thrown)).toBe(code)
})

describe('another attempt', () => {
  test.each(codes.map(code => ({ code, helps: TRANSIENT[code] })))(
    'may help after $code: $helps',
    ({ code, helps }) => {
      expect(isTransient(new UploadError(code, 'write a at 0: refused'))).toBe(helps)
    }
  )

  test.each([
    { thrown: new Error('connection-lost') },
    { thrown: Object.assign(new Error('reset'), { code: 'connection-lost' }) },
    { thrown: 'stalled' },
    { thrown: undefined },
    { thrown: null }
  ])('is not tried after what is no UploadError: $thrown', ({ thrown }) => {
    expect(isTransient(thrown)).toBe(false)
  })

  test('is judged by the error itself, not by its cause', () => {
    const cause = new UploadError('connection-lost', 'read: the connection is closed')
    expect(isTransient(new UploadError('cancelled', 'upload: cancelled', { cause }))).toBe(false)
  })
})

describe('another way', () => {
  const refusals: ErrorCode[] = ['not-found', 'permission', 'protocol', 'server-failure', 'unsupported']

  test.each(codes.map(code => ({ code, isOpen: refusals.includes(code) })))(
    'may be open after $code: $isOpen',
    ({ code, isOpen }) => {
      expect(isRefusal(new UploadError(code, 'open a: refused'))).toBe(isOpen)
    }
  )

  test.each([
    { thrown: new Error('permission') },
    { thrown: Object.assign(new Error('denied'), { code: 'permission' }) },
    { thrown: 'permission' },
    { thrown: undefined }
  ])('is not looked for after what is no UploadError: $thrown', ({ thrown }) => {
    expect(isRefusal(thrown)).toBe(false)
  })
})

test.each([
  { error: new UploadError('not-found', 'open a: No such file'), expected: true },
  { error: new UploadError('permission', 'open a: not-found'), expected: false },
  { error: Object.assign(new Error('No such file'), { code: 'not-found' }), expected: false },
  { error: undefined, expected: false }
])('nothing of that name is what the server says: $expected of $error', ({ error, expected }) => {
  expect(isNotFound(error)).toBe(expected)
})

test.each([
  ['open a: refused\nIt is locked.\nUnlock it.', 'open a: refused'],
  ['open a: refused', 'open a: refused'],
  ['', '']
])('what was seen is the first line of %j', (message, seen) => {
  expect(firstLine(new UploadError('permission', message))).toBe(seen)
})

describe('an UploadError', () => {
  test('says its code, its message and its cause', () => {
    const cause = new Error('No space left on device')
    const error = new UploadError('no-space', 'write app.zip at 0: No space left on device', { cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'UploadError', code: 'no-space', cause })
    expect(String(error)).toBe('UploadError: write app.zip at 0: No space left on device')
  })

  test('has no cause where none is given', () => {
    expect('cause' in new UploadError('login', 'log in: refused')).toBe(false)
  })
})

describe('wrapping', () => {
  test('keeps an UploadError as it is', () => {
    const error = new UploadError('permission', 'open a: Permission denied')
    expect(toUploadError(error, 'protocol', 'open b')).toBe(error)
  })

  test.each([
    { thrown: new TypeError('bad handle'), message: 'open a: bad handle' },
    { thrown: 'plain text', message: 'open a: plain text' },
    { thrown: undefined, message: 'open a: undefined' },
    { thrown: 404, message: 'open a: 404' }
  ])('keeps what was thrown readable and as the cause: $message', ({ thrown, message }) => {
    const error = toUploadError(thrown, 'protocol', 'open a')
    expect(error).toBeInstanceOf(UploadError)
    expect(error).toMatchObject({ code: 'protocol', message })
    expect(error.cause).toBe(thrown)
  })
})
