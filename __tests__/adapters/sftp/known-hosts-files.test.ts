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

function hashed(host: string, salt = randomBytes(20)): string {
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(host).digest('base64')}`
}

const right = makeKey()
const other = makeKey()
const third = makeKey()

/** Files as they are found in the wild. Each pins the right key for the server, and has another one that it does not. */
const files: Readonly<Record<string, string>> = {
  'of ssh-keyscan': `# files.example.com:22 SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13
files.example.com ${right.line}
# git.example.org:22 SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13
git.example.org ${other.line}
`,
  'of ssh-keyscan -H': `# files.example.com:22 SSH-2.0-OpenSSH_9.2p1
${hashed('files.example.com')} ${right.line}
# git.example.org:22 SSH-2.0-OpenSSH_9.2p1
${hashed('git.example.org')} ${other.line}
`,
  'of a desktop': `${hashed('files.example.com')} ${right.line}
${hashed('git.example.org')} ${other.line}
${hashed('[files.example.com]:2222')} ${third.line}
`,
  'with names, addresses and a comment': `git.example.org,192.0.2.1 ${other.line} git
files.example.com,files,192.0.2.7,2001:db8::7 ${right.line} root@files 2024-01-01
`,
  'with patterns': `*.example.org ${other.line}\n*.example.com,!git.example.com ${right.line}\nfile?.example.com,!*.example.com ${third.line}\n`,
  'with Windows line breaks and a byte order mark': `\ufefffiles.example.com ${right.line}\r\n\r\ngit.example.org ${other.line}\r\n`,
  'with tabs and without a last line break': `git.example.org\t${other.line.replace(' ', '\t')}\nfiles.example.com\t${right.line.replace(' ', '\t')}`,
  'with old keys that are revoked': `@revoked files.example.com ${other.line}\n@revoked * ${third.line}\nfiles.example.com ${right.line}\n`,
  'with an authority': `@cert-authority *.example.com ${other.line}\nfiles.example.com ${right.line}\n`,
  'with keys of SSH 1': `files.example.com 1024 35 ${'1234567890'.repeat(30)} old@host
files.example.com ${right.line}
git.example.org 1024 35 ${'1234567890'.repeat(30)} old@git
git.example.org ${other.line}
`
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
    let judged = 0
    const property = fc.property(fc.array(damageTo(text), { minLength: 1, maxLength: 3 }), changes => {
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
      for (const key of [other, third]) {
        if (isGiven(damaged, key)) continue
        expect(verify(key.blob)).toMatchObject({ code: 'host-key' })
        if (damaged.includes(base64Of(key))) judged++
      }
    })
    fc.assert(property, { numRuns: 500 })
    // The rest is refused as a whole, lost the other key, or does give it to the server.
    expect(judged).toBeGreaterThan(50)
  })
})

interface Change {
  readonly at: number
  readonly length: number
  readonly put: string
}

/** Anything anywhere, which mostly makes a file that is refused, and small changes of names and keys, which mostly do not. */
function damageTo(text: string): fc.Arbitrary<Change> {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.constantFrom('\n', '\r', ' ', '#', '@', '|', ',', '!', '@revoked ', '|1|', '-----BEGIN ')
  )
  const anywhere = fc.record({
    at: fc.nat(text.length),
    length: fc.oneof(fc.nat(3), fc.nat(200)),
    put: anything
  })
  const inName = fc.record({
    at: fc.constantFrom(...placesOfNames(text)),
    length: fc.nat(2),
    put: fc.string({ unit: oneOf('afgilst.,*?!|#@:[]-/+1'), maxLength: 2 })
  })
  const exchanged = fc.record({
    at: fc.nat(text.length - 1),
    length: fc.constant(1),
    put: oneOf('aAzZ09+/')
  })
  const wholeLines = fc.constantFrom(...linesOf(text)).map(([at, line]) => ({
    at,
    length: line.length,
    put: ''
  }))
  const marked = fc.record({
    at: fc.constantFrom(...linesOf(text).map(([at]) => at)),
    length: fc.constant(0),
    put: fc.constantFrom('#', '@revoked ', '@cert-authority ', '!', '*.', '\t ')
  })
  return fc.oneof(anywhere, inName, exchanged, wholeLines, marked)
}

function oneOf(letters: string): fc.Arbitrary<string> {
  return fc.nat(letters.length - 1).map(index => letters.charAt(index))
}

/** Each line that is not blank, with its place in the text. */
function linesOf(text: string): [at: number, line: string][] {
  return [...text.matchAll(/[^\r\n]+/g)].map(({ index, 0: line }) => [index, line])
}

/** Every place in what stands before a key. */
function placesOfNames(text: string): number[] {
  return linesOf(text).flatMap(([at, line]) => {
    const [names = ''] = /^\S+(?=\s+ssh-)|^@\S+\s+\S+(?=\s+ssh-)/.exec(line) ?? []
    return Array.from(names, (_, index) => at + index)
  })
}

function base64Of({ line }: { line: string }): string {
  return line.split(' ')[1] ?? ''
}

/** Whether the text itself, by the damage, gives that key to the server: a line of host, type and key, without a marker. */
function isGiven(text: string, key: { line: string }): boolean {
  const base64 = base64Of(key)
  return text.split(/[\r\n]+/).some(each => {
    if (!each.includes(base64)) return false
    const [hosts = '', , ...more] = each.slice(0, each.indexOf(base64)).trim().split(/\s+/)
    return more.length === 0 && hosts.split(',').some(namesServer)
  })
}

function namesServer(pattern: string): boolean {
  const [, version, salt = ''] = pattern.split('|')
  if (version === '1') return pattern === hashed(SERVER.host, Buffer.from(salt, 'base64'))
  const literal = pattern.toLowerCase().replace(/[\\^$.|+()[\]{}]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(SERVER.host)
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
