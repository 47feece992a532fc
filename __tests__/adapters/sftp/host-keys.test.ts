import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import ssh2 from 'ssh2'
import { createHostKeyPolicy, type HostKeySettings } from '../../../src/adapters/sftp/host-keys.js'
import { fingerprintOf, keyTypeOf } from '../../../src/adapters/sftp/public-key.js'
import { UploadError } from '../../../src/core/errors.js'

const folder = mkdtempSync(join(tmpdir(), 'host-keys-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface HostKey {
  readonly path: string
  /** `type base64`, as in known_hosts. */
  readonly line: string
  readonly blob: Buffer
  readonly fingerprint: string
}

function generate(name: string, ...options: string[]): HostKey {
  const path = join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-N', '', '-f', path, ...options])
  const [type = '', base64 = ''] = readFileSync(`${path}.pub`, 'utf8').split(' ')
  const fingerprint =
    execFileSync('ssh-keygen', ['-lf', `${path}.pub`], { encoding: 'utf8' }).split(' ')[1] ?? ''
  return { path, line: `${type} ${base64}`, blob: Buffer.from(base64, 'base64'), fingerprint }
}

const ed25519 = generate('ed25519', '-t', 'ed25519')
const other = generate('other', '-t', 'ed25519')
const ecdsa = generate('ecdsa', '-t', 'ecdsa', '-b', '521')
const rsa = generate('rsa', '-t', 'rsa', '-b', '2048')

/** The lines as `ssh-keygen -H` hashes them. */
function hash(lines: string): string {
  const path = join(folder, 'hashed')
  writeFileSync(path, lines)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', path], { stdio: 'ignore' })
  return readFileSync(path, 'utf8')
}

function policy(settings: Partial<HostKeySettings>, host = 'example.com', port = 22) {
  return createHostKeyPolicy(
    { check: 'strict', knownHosts: '', fingerprints: [], ...settings },
    { host, port }
  )
}

function refusal(settings: Partial<HostKeySettings>, key: Buffer, host?: string, port?: number): UploadError {
  const error = policy(settings, host, port).verify(key)
  if (error === undefined) throw new Error('the key is accepted')
  expect(error).toBeInstanceOf(UploadError)
  expect(error.code).toBe('host-key')
  expect(error.message.split('\n').length).toBeLessThanOrEqual(5)
  return error
}

function inputError(settings: Partial<HostKeySettings>): string {
  try {
    policy(settings)
  } catch (error) {
    if (error instanceof UploadError && error.code === 'invalid-input') return error.message
    throw error
  }
  throw new Error('the input is accepted')
}

describe('which line is for which server', () => {
  const K = ed25519.line
  test.each([
    ['a plain name', `example.com ${K}`, 'example.com', 22, true],
    ['another name', `example.org ${K}`, 'example.com', 22, false],
    ['a comment after the key', `example.com ${K} root@example SHA256:x`, 'example.com', 22, true],
    ['comments, blank lines and CRLF', `# one\r\n\r\n  \r\nexample.com ${K}\r\n`, 'example.com', 22, true],
    ['tabs and indentation', `\t example.com\t${K}`, 'example.com', 22, true],
    ['no line break at the end, others before', `a ${other.line}\nexample.com ${K}`, 'example.com', 22, true],
    ['a list', `192.0.2.1,example.com ${K}`, 'example.com', 22, true],
    ['upper case in the line', `EXAMPLE.com ${K}`, 'example.com', 22, true],
    ['upper case in the host', `example.com ${K}`, 'Example.COM', 22, true],
    ['a star', `*.example.com ${K}`, 'sftp.example.com', 22, true],
    ['a star that needs a dot', `*.example.com ${K}`, 'example.com', 22, false],
    ['stars in the middle', `s*p.*.c?m ${K}`, 'sftp.example.com', 22, true],
    ['stars for nothing', `*example.com** ${K}`, 'example.com', 22, true],
    ['a question mark', `sftp?.example.com ${K}`, 'sftp1.example.com', 22, true],
    ['a question mark without its character', `sftp?.example.com ${K}`, 'sftp.example.com', 22, false],
    ['a dot is only a dot', `example.com ${K}`, 'exampleXcom', 22, false],
    ['a negation', `*.example.com,!bad.example.com ${K}`, 'bad.example.com', 22, false],
    ['a negation of another host', `*.example.com,!bad.example.com ${K}`, 'good.example.com', 22, true],
    ['a negation before the match', `!bad.example.com,*.example.com ${K}`, 'bad.example.com', 22, false],
    ['only a negation', `!bad.example.com ${K}`, 'example.com', 22, false],
    ['a negation with port', `*,![example.com]:2222 ${K}`, 'example.com', 2222, false],
    ['a port', `[example.com]:2222 ${K}`, 'example.com', 2222, true],
    ['another port', `[example.com]:2222 ${K}`, 'example.com', 2223, false],
    ['a port for 22', `[example.com]:2222 ${K}`, 'example.com', 22, false],
    ['a wildcard port', `[example.com]:* ${K}`, 'example.com', 2222, true],
    [
      'no port in the line (ssh: "checking without port identifier")',
      `example.com ${K}`,
      'example.com',
      2222,
      true
    ],
    ['IPv6', `::1 ${K}`, '::1', 22, true],
    ['IPv6 given in brackets', `::1 ${K}`, '[::1]', 22, true],
    ['IPv6 with port', `[::1]:2222 ${K}`, '::1', 2222, true],
    ['IPv6, upper case', `[FE80::A]:2222 ${K}`, 'fe80::a', 2222, true],
    ['an SSH1 line beside it', `example.com 1024 65537 1234567\nexample.com ${K}`, 'example.com', 22, true]
  ])('%s', (_name, knownHosts, host, port, accepted) => {
    expect(policy({ knownHosts }, host, port).verify(ed25519.blob) === undefined).toBe(accepted)
  })

  test('a line for the port outweighs one without, also when its key differs', () => {
    const knownHosts = `[example.com]:2222 ${other.line}\nexample.com ${ed25519.line}`
    expect(policy({ knownHosts }, 'example.com', 2222).verify(other.blob)).toBeUndefined()
    refusal({ knownHosts }, ed25519.blob, 'example.com', 2222)
  })

  test.each([
    ['example.com', 22, true],
    ['EXAMPLE.com', 22, true],
    ['example.org', 22, false],
    ['example.org', 2222, true],
    ['::1', 2222, true],
    ['::1', 22, false]
  ])('names hashed by ssh-keygen -H: %s port %d', (host, port, accepted) => {
    const knownHosts = hash(
      [
        `example.com ${ed25519.line}`,
        `[example.org]:2222 ${ed25519.line}`,
        `[::1]:2222 ${ed25519.line}`,
        ''
      ].join('\n')
    )
    expect(knownHosts.match(/^\|1\|/gm)).toHaveLength(3)
    expect(policy({ knownHosts }, host, port).verify(ed25519.blob) === undefined).toBe(accepted)
  })

  test('agrees with ssh-keygen -F on lists of patterns', () => {
    const word = fc.array(fc.constantFrom('a', 'b', '.', '*', '?'), { minLength: 1, maxLength: 6 })
    const pattern = fc
      .tuple(fc.boolean(), word)
      .map(([negated, parts]) => (negated ? '!' : '') + parts.join(''))
    const host = fc
      .array(fc.constantFrom('a', 'b', '.'), { minLength: 1, maxLength: 6 })
      .map(parts => parts.join(''))
    const path = join(folder, 'patterns')
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), host, (patterns, name) => {
        const knownHosts = `${patterns.join(',')} ${ed25519.line}\n`
        writeFileSync(path, knownHosts)
        const ours = policy({ knownHosts }, name).verify(ed25519.blob) === undefined
        expect(ours).toBe(sshKeygenFinds(path, name))
      }),
      { numRuns: 60 }
    )
  })
})

function sshKeygenFinds(path: string, name: string): boolean {
  try {
    execFileSync('ssh-keygen', ['-F', name, '-f', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('which keys are accepted', () => {
  test.each([
    ['unpadded', ed25519.fingerprint],
    ['padded', `${ed25519.fingerprint}=`],
    ['with blanks around it', `  ${ed25519.fingerprint} `]
  ])('a key with a pinned fingerprint, %s', (_name, fingerprint) => {
    const { verify } = policy({ fingerprints: ['', other.fingerprint, fingerprint] })
    expect(verify(ed25519.blob)).toBeUndefined()
    expect(verify(rsa.blob)?.code).toBe('host-key')
  })

  test('either a line or a fingerprint is enough', () => {
    const { verify } = policy({ knownHosts: `example.com ${rsa.line}`, fingerprints: [ed25519.fingerprint] })
    expect(verify(rsa.blob)).toBeUndefined()
    expect(verify(ed25519.blob)).toBeUndefined()
    expect(verify(other.blob)?.code).toBe('host-key')
  })

  test('any of several lines', () => {
    const { verify } = policy({ knownHosts: `example.com ${rsa.line}\n* ${ed25519.line}` })
    expect([verify(rsa.blob), verify(ed25519.blob)]).toEqual([undefined, undefined])
  })

  test.each([
    ['a line', { knownHosts: `@revoked * ${ed25519.line}\nexample.com ${ed25519.line}` }],
    ['a fingerprint', { knownHosts: `@revoked * ${ed25519.line}`, fingerprints: [ed25519.fingerprint] }],
    ['check off', { knownHosts: `@revoked example.com ${ed25519.line}`, check: 'off' as const }]
  ])('@revoked outweighs %s', (_name, settings) => {
    expect(refusal(settings, ed25519.blob).message).toContain('@revoked')
  })

  test('@revoked for the host without a port counts for every port', () => {
    const knownHosts = `@revoked example.com ${ed25519.line}\n[example.com]:2222 ${ed25519.line}`
    expect(refusal({ knownHosts }, ed25519.blob, 'example.com', 2222).message).toContain('line 1')
  })

  test('@revoked for another host or key does not count', () => {
    const knownHosts = `@revoked example.org ${ed25519.line}\n@revoked * ${other.line}\n* ${ed25519.line}`
    expect(policy({ knownHosts }).verify(ed25519.blob)).toBeUndefined()
  })

  test('a @cert-authority is no pin', () => {
    const error = refusal({ knownHosts: `@cert-authority *.com ${ed25519.line}` }, ed25519.blob)
    expect(error.message).toContain('host certificates cannot be checked')
    expect(error.message).toContain(`\nexample.com ${ed25519.line}`)
  })

  test('check off accepts all', () => {
    const { verify, algorithms } = policy({ check: 'off', knownHosts: `example.com ${rsa.line}` })
    expect([verify(ed25519.blob), algorithms]).toEqual([undefined, undefined])
  })
})

describe('which types the server is asked for', () => {
  test.each([
    ['ed25519', ed25519, ['ssh-ed25519']],
    ['ECDSA', ecdsa, ['ecdsa-sha2-nistp521']],
    ['RSA, SHA-1 last', rsa, ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa']]
  ])('%s', (_name, key, algorithms) => {
    expect(policy({ knownHosts: `example.com ${key.line}\nexample.org ${other.line}` }).algorithms).toEqual(
      algorithms
    )
  })

  test('those of the line with the port', () => {
    const knownHosts = `[example.com]:2222 ${rsa.line}\nexample.com ${ed25519.line}`
    expect(policy({ knownHosts }, 'example.com', 2222).algorithms?.[0]).toBe('rsa-sha2-512')
    expect(policy({ knownHosts }, 'example.com', 22).algorithms).toEqual(['ssh-ed25519'])
  })

  test('a revoked key and an authority are not pinned types', () => {
    const knownHosts = `@revoked * ${ed25519.line}\n@cert-authority * ${ecdsa.line}\nexample.com ${rsa.line}`
    expect(policy({ knownHosts }).algorithms).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'])
  })

  test('all of them with fingerprints, the pinned ones first', () => {
    expect(policy({ fingerprints: [rsa.fingerprint] }).algorithms).toBeUndefined()
    const both = policy({
      fingerprints: [ecdsa.fingerprint],
      knownHosts: `example.com ${rsa.line}`
    }).algorithms
    expect(both?.slice(0, 4)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa', 'ssh-ed25519'])
    expect(new Set(both).size).toBe(7)
  })

  test('ssh2 gets the pinned RSA key from a server that also has ed25519', async () => {
    const server = new ssh2.Server(
      { hostKeys: [readFileSync(ed25519.path), readFileSync(rsa.path)] },
      connection => {
        connection.on('error', () => undefined)
        connection.on('authentication', context => context.accept())
      }
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const { algorithms, verify } = policy({ knownHosts: `127.0.0.1 ${rsa.line}` }, '127.0.0.1', port)
    const client = new ssh2.Client()
    const closed = once(client, 'close')
    try {
      const ready = once(client, 'ready')
      client.connect({
        host: '127.0.0.1',
        port,
        username: 'u',
        password: 'p',
        ...(algorithms && { algorithms: { serverHostKey: algorithms } }),
        hostVerifier: (key: Buffer) => verify(key) === undefined
      })
      await ready
    } finally {
      client.end()
      server.close()
    }
    await closed
  })
})

describe('what a refusal says', () => {
  test('nothing pinned: the offered key and the line to paste', () => {
    const { message } = refusal({}, ed25519.blob, 'Example.com', 2222)
    expect(message).toContain(`ssh-ed25519 ${ed25519.fingerprint}`)
    expect(message).toContain('Compare')
    expect(message.split('\n').at(-1)).toBe(`[example.com]:2222 ${ed25519.line}`)
  })

  test('another key: what was pinned, what was offered, the line to paste', () => {
    const settings = { knownHosts: `::1 ${rsa.line}`, fingerprints: [ecdsa.fingerprint] }
    const { message } = refusal(settings, ed25519.blob, '::1')
    expect(message).toContain(`ssh-rsa ${rsa.fingerprint}, ${ecdsa.fingerprint}`)
    expect(message).toContain(`found ssh-ed25519 ${ed25519.fingerprint}`)
    expect(message).toContain('someone stands between')
    expect(message.split('\n').at(-1)).toBe(`::1 ${ed25519.line}`)
  })

  test('no line for this server: the names that there are, hashed ones counted', () => {
    const knownHosts = `${hash(`h1 ${rsa.line}\nh2 ${rsa.line}\n`)}b.example,c.example ${rsa.line}\nd ${rsa.line}\n`
    const { message } = refusal({ knownHosts }, ed25519.blob)
    expect(message).toContain('it names b.example,c.example, d, 2 hashed')
    expect(message.split('\n').at(-1)).toBe(`example.com ${ed25519.line}`)
  })

  test('many names stay one line', () => {
    const knownHosts = Array.from({ length: 30 }, (_, index) => `host${index} ${rsa.line}`).join('\n')
    expect(refusal({ knownHosts }, ed25519.blob).message).toContain('22 more')
  })

  test('the line to paste is accepted', () => {
    fc.assert(
      fc.property(fc.domain(), fc.constantFrom(22, 2222), (host, port) => {
        const knownHosts = refusal({}, ecdsa.blob, host, port).message.split('\n').at(-1) ?? ''
        expect(policy({ knownHosts }, host, port).verify(ecdsa.blob)).toBeUndefined()
      })
    )
  })

  test('a line break in the name of the type does not reach the message', () => {
    const type = Buffer.from('\n::error::x')
    const blob = Buffer.concat([Buffer.from([0, 0, 0, type.length]), type, Buffer.from([0, 0, 0, 0])])
    expect(refusal({}, blob).message).not.toContain('::error')
  })
})

describe('what is no line of known_hosts', () => {
  const [type = '', base64 = ''] = ed25519.line.split(' ')
  test.each([
    ['a public key without host', ed25519.line, 'without the host name'],
    ['a public key file', readFileSync(`${ed25519.path}.pub`, 'utf8'), 'without the host name'],
    ['only base64', base64, 'the key alone'],
    ['a fingerprint', ed25519.fingerprint, 'host-key-fingerprint'],
    ['ssh-keygen -lf', `256 ${ed25519.fingerprint} root@example (ED25519)`, 'host-key-fingerprint'],
    ['an MD5 fingerprint', 'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48', 'MD5'],
    ['an error of ssh-keyscan', 'getaddrinfo nowhere: Name or service not known', 'ssh-keyscan'],
    ['another error of ssh-keyscan', 'example.com: Connection closed by remote host', 'ssh-keyscan'],
    ['a private key', readFileSync(ed25519.path, 'utf8'), 'key file'],
    ['a cut key', `example.com ${type} ${base64.slice(0, -4)}`, 'whole key'],
    ['a key that is no base64', `example.com ${type} ${base64.slice(0, -1)}!`, 'not base64'],
    ['another type than the key has', `example.com ssh-rsa ${base64}`, 'a key of type ssh-ed25519'],
    ['a host and a type', `example.com ${type}`, '2 of three words'],
    ['an unknown marker', `@trusted example.com ${ed25519.line}`, 'marker'],
    ['a damaged hash', `|1|AAAA|BBBB ${ed25519.line}`, 'hashed']
  ])('%s', (_name, text, found) => {
    const message = inputError({ knownHosts: `# first\nexample.org ${rsa.line}\n${text}` })
    expect(message).toContain('known-hosts line 3: must be "host type key"')
    expect(message).toContain(found)
    expect(message).not.toContain('b3BlbnNzaC1rZXk')
  })

  test('is refused with check off, too', () => {
    expect(inputError({ check: 'off', knownHosts: 'nonsense' })).toContain('known-hosts line 1')
  })

  test('the names of the inputs can have a prefix', () => {
    const settings: HostKeySettings = { check: 'strict', knownHosts: '', fingerprints: [] }
    const jump = createHostKeyPolicy(settings, { host: 'gate', port: 22 }, 'jump-')
    expect(jump.verify(ed25519.blob)?.message).toContain('jump-known-hosts')
  })
})

describe('what is no fingerprint', () => {
  test.each([
    ['MD5', 'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48', 'MD5'],
    ['MD5 without prefix', '16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48', 'MD5'],
    ['hexadecimal SHA-256', 'ab'.repeat(32), 'hexadecimal'],
    ['hexadecimal after the prefix', `SHA256:${'ab'.repeat(32)}`, 'hexadecimal'],
    ['a line of known_hosts', `example.com ${ed25519.line}`, 'known-hosts'],
    ['a cut one', ed25519.fingerprint.slice(0, -1), '42 characters'],
    ['one without prefix', ed25519.fingerprint.slice(7), 'begin with SHA256:'],
    ['one with bits left over', `SHA256:${'A'.repeat(42)}B`, '32 bytes']
  ])('%s', (_name, fingerprint, found) => {
    const message = inputError({ fingerprints: [rsa.fingerprint, fingerprint] })
    expect(message).toContain('host-key-fingerprint: must be SHA256:')
    expect(message).toContain(found)
  })
})

describe('fingerprintOf and keyTypeOf', () => {
  test.each([
    ['ssh-ed25519', ed25519],
    ['ecdsa-sha2-nistp521', ecdsa],
    ['ssh-rsa', rsa]
  ])('agree with ssh-keygen: %s', (type, key) => {
    expect([keyTypeOf(key.blob), fingerprintOf(key.blob)]).toEqual([type, key.fingerprint])
  })
})

describe('whatever comes', () => {
  test('text is read or refused as invalid-input', () => {
    const fragments = fc.constantFrom(
      'example.com',
      '@revoked',
      '|1|',
      '!',
      '*',
      ',',
      ' ',
      '\n',
      '#',
      rsa.line,
      'SHA256:'
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(fragments, fc.string()), { maxLength: 12 }).map(parts => parts.join(''))
    )
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 2 }), (knownHosts, fingerprints) => {
        try {
          policy({ knownHosts, fingerprints })
        } catch (error) {
          expect(error).toBeInstanceOf(UploadError)
          expect(error).toMatchObject({ code: 'invalid-input' })
        }
      }),
      { numRuns: 500 }
    )
  })

  test('a blob that no one pinned is refused, never thrown at', () => {
    const settings = [{}, { knownHosts: `* ${rsa.line}` }, { fingerprints: [rsa.fingerprint] }]
    const cut = fc.integer({ min: 0, max: rsa.blob.length - 1 }).map(length => rsa.blob.subarray(0, length))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map(array => Buffer.from(array)),
      cut
    )
    fc.assert(
      fc.property(bytes, fc.constantFrom(...settings), (blob, setting) => {
        refusal(setting, blob)
      })
    )
  })
})
