import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createHmac, randomBytes } from 'node:crypto'
import { createHostKeyPolicy } from '../../../src/adapters/sftp/host-keys.js'
import { UploadError } from '../../../src/core/errors.js'
import { generateKeyPair } from '../../support/sftp-server.mjs'

const SERVER = { host: 'files.example.com', port: 22 }

function makeKey() {
  const [type = '', base64 = ''] = generateKeyPair().public.split(' ')
  return { line: `${type} ${base64}`, blob: Buffer.from(base64, 'base64') }
}

function hashed(host: string): string {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(host).digest('base64')}`
}

const right = makeKey()
const other = makeKey()
const third = makeKey()

/** Files as they are found in the wild, each of which pins the right key for the server, and no other. */
const files: Readonly<Record<string, string>> = {
  'of ssh-keyscan': `# files.example.com:22 SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13
files.example.com ${right.line}
# files.example.com:22 SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13
`,
  'of ssh-keyscan -H': `# files.example.com:22 SSH-2.0-OpenSSH_9.2p1\n${hashed('files.example.com')} ${right.line}\n`,
  'of a desktop': `${hashed('files.example.com')} ${right.line}
${hashed('git.example.org')} ${other.line}
${hashed('[files.example.com]:2222')} ${third.line}
`,
  'with names, addresses and a comment': `git.example.org,192.0.2.1 ${other.line} git
files.example.com,files,192.0.2.7,2001:db8::7 ${right.line} root@files 2024-01-01
`,
  'with patterns': `*.example.org ${other.line}\n*.example.com,!git.example.com ${right.line}\n`,
  'with Windows line breaks and a byte order mark': `\ufefffiles.example.com ${right.line}\r\n\r\ngit.example.org ${other.line}\r\n`,
  'with tabs and without a last line break': `files.example.com\t${right.line.replace(' ', '\t')}`,
  'with old keys that are revoked': `@revoked files.example.com ${other.line}\n@revoked * ${third.line}\nfiles.example.com ${right.line}\n`,
  'with an authority': `@cert-authority *.example.com ${other.line}\nfiles.example.com ${right.line}\n`,
  'with keys of SSH 1': `files.example.com 1024 35 ${'1234567890'.repeat(30)} old@host\nfiles.example.com ${right.line}\n`
}

function read(knownHosts: string) {
  return createHostKeyPolicy({ check: 'strict', knownHosts, fingerprints: [] }, SERVER)
}

describe.each(Object.entries(files))('a file %s', (_, text) => {
  test('pins the right key, and no other', () => {
    const { verify } = read(text)
    expect(verify(right.blob)).toBeUndefined()
    for (const { blob } of [other, third]) expect(verify(blob)).toMatchObject({ code: 'host-key' })
  })

  test('that is damaged in any way never pins another key', () => {
    const change = fc.record({
      at: fc.nat(text.length),
      length: fc.oneof(fc.nat(3), fc.nat(200)),
      put: fc.oneof(
        fc.string({ unit: 'binary', maxLength: 3 }),
        fc.constantFrom('\n', '\r', ' ', '#', '@', '|', ',', '!', '@revoked ', '|1|', '-----BEGIN ')
      )
    })
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), changes => {
      const damaged = changes.reduce(
        (before, { at, length, put }) => before.slice(0, at) + put + before.slice(at + length),
        text
      )
      let verify
      try {
        ;({ verify } = read(damaged))
      } catch (error) {
        if (!(error instanceof UploadError)) throw error
        expect(error.code).toBe('invalid-input')
        expect(error.message).toMatch(/^known-hosts line \d+: /)
        return
      }
      // The names in the file are other servers' by its own account, unless the damage made a pattern of them.
      if (/files|\*|\?/.test(namesOf(damaged, other.line))) return
      expect(verify(other.blob)).toMatchObject({ code: 'host-key' })
    })
    fc.assert(property, { numRuns: 200 })
  })
})

/** What stands before a key in its own line, if its line is whole and does not revoke it or name an authority. */
function namesOf(text: string, key: string): string {
  const lines = text.split(/[\r\n]+/).filter(line => line.includes(key))
  return lines.map(line => line.slice(0, line.indexOf(key))).join(' ')
}

test('text without end or form is read or refused in no time', () => {
  const units = ['a ', '1 ', '@', '|1|', '*', '*,', '!', '\n', '# ', 'a,', '-----', right.line]
  const at = performance.now()
  for (const unit of units) {
    const text = unit.repeat(Math.ceil((128 * 1024) / unit.length))
    try {
      read(text).verify(other.blob)
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid-input' })
    }
  }
  expect(performance.now() - at).toBeLessThan(5_000)
})
