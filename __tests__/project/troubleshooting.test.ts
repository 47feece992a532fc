import { describe, expect, test } from '@jest/globals'
import { connectionError } from '../../src/adapters/sftp/connection-errors.js'
import { Authentication } from '../../src/adapters/sftp/authentication.js'
import { brokenBy } from '../../src/adapters/sftp/broken-by.js'
import { refusal } from '../../src/adapters/sftp/status.js'
import { type ErrorCode, UploadError } from '../../src/core/errors.js'
import { headingsOf, readDocument } from './documents.js'
import { normalize, readToldTexts } from './told-texts.js'

const told = readToldTexts()
const texts = headingsOf(readDocument('docs/troubleshooting.md')).flatMap(heading =>
  [...heading.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
)
const normalized = new Set(texts.map(normalize))

/** The compiler holds it complete. */
const CODES = Object.keys({
  'invalid-input': true,
  'no-files': true,
  'host-key': true,
  'private-key': true,
  login: true,
  'unknown-host': true,
  unreachable: true,
  'connection-lost': true,
  stalled: true,
  protocol: true,
  'not-found': true,
  permission: true,
  'wrong-type': true,
  'no-space': true,
  unsupported: true,
  'server-failure': true,
  'source-changed': true,
  'source-unreadable': true,
  'not-verified': true,
  withheld: true,
  cancelled: true
} satisfies Record<ErrorCode, true>) as ErrorCode[]

/** What the system and servers say stands in no source: these errors are made as they would be on the way. */
const FROM_OUTSIDE: readonly UploadError[] = [
  ...['ECONNREFUSED', 'ETIMEDOUT', 'ENETUNREACH'].map(unreached),
  new UploadError('connection-lost', brokenBy(new Error('read ECONNRESET'))),
  new UploadError('stalled', brokenBy(new Error('Keepalive timeout'))),
  ...(
    [
      [2, 'No such file'],
      [3, 'Permission denied'],
      [4, 'Failure'],
      [8, 'Operation unsupported']
    ] as const
  ).map(([code, text]) => refusal(Object.assign(new Error(text), { code }), 'open app.zip'))
]

describe('a heading of the troubleshooting', () => {
  test('is what the code says', () => {
    expect(texts.length).toBeGreaterThan(60)
    expect(
      texts.filter(text => !told.all.has(normalize(text)) && !FROM_OUTSIDE.some(error => fits(error)(text)))
    ).toEqual([])
  })

  test('stands once', () => {
    expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([])
  })
})

describe('the troubleshooting has', () => {
  test('every way in which a connection fails', () => {
    const file = readToldTexts(path => /^adapters\/sftp\/(?:connection-errors|why-[^/]+)\.ts$/.test(path))
    const seen = CODES.flatMap(code => [...(file.ofCode.get(code) ?? [])])
    expect(seen.length).toBeGreaterThan(15)
    expect(seen.filter(text => !normalized.has(text))).toEqual([])
  })

  test.each(CODES)('something for %s', code => {
    const inSources = [...(told.ofCode.get(code) ?? [])].some(text => normalized.has(text))
    const fromOutside = FROM_OUTSIDE.some(error => error.code === code && texts.some(fits(error)))
    expect(inSources || fromOutside).toBe(true)
  })
})

test('the texts in the README are among them, or in the log', () => {
  const [, table = ''] = /## When it goes wrong\n([^]*?)\n## /.exec(readDocument('README.md').text) ?? []
  const named = [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, text = '']) => text)
  expect(named.length).toBeGreaterThan(3)
  const isKnown = (text: string) =>
    told.all.has(normalize(text)) || texts.some(heading => patternOf(text).test(heading))
  expect(named.filter(text => !isKnown(text))).toEqual([])
})

function fits({ message }: UploadError): (heading: string) => boolean {
  return heading => patternOf(heading).test(message)
}

function patternOf(text: string): RegExp {
  const parts = text.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(parts.join('.*'))
}

function unreached(code: string): UploadError {
  const place = { doing: 'connect to x port 22', host: 'x', username: 'deploy', prefix: '' } as const
  const login = new Authentication({
    username: 'deploy',
    key: undefined,
    agent: undefined,
    password: undefined
  })
  const error = Object.assign(new Error(`connect ${code} 192.0.2.1:22`), { level: 'client-socket', code })
  return connectionError(error, { place, stage: 'reaching', foreign: undefined }, login)
}
