import { execFileSync } from 'node:child_process'
import { createCipheriv, createHash, createHmac, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import ssh2 from 'ssh2'
import { isEncryptedKey, readPrivateKey } from '../../../src/adapters/sftp/private-key.js'
import { type ErrorCode, UploadError } from '../../../src/core/errors.js'

const SECRET = 'pass phrase with ünïcode'
const folder = mkdtempSync(join(tmpdir(), 'private-key-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Sample {
  readonly name: string
  readonly text: string
  readonly passphrase: string | undefined
  readonly type: string
  readonly publicKey: Buffer
  readonly fingerprint: string
}

const TYPES = [
  ['ed25519', '256'],
  ['rsa', '2048'],
  ['ecdsa', '256'],
  ['ecdsa', '384'],
  ['ecdsa', '521']
] as const

const FORMATS = { OpenSSH: [], PEM: ['-m', 'PEM'], 'PKCS#8': ['-m', 'PKCS8'] } as const

/** Every type in every format, plain and encrypted, from one key of each type. */
const samples: Sample[] = TYPES.flatMap(([type, bits]) => {
  const source = join(folder, `${type}${bits}`)
  sshKeygen('-t', type, '-b', bits, '-N', '', '-C', 'a comment', '-f', source)
  return Object.entries(FORMATS).flatMap(([format, options]) =>
    [undefined, SECRET].flatMap(passphrase => {
      const path = `${source}.${passphrase === undefined ? 'plain' : 'encrypted'}`
      writeFileSync(path, readFileSync(source), { mode: 0o600 })
      if (type === 'ed25519' && format !== 'OpenSSH') {
        // ssh-keygen writes ed25519 in its own format only; openssl makes the PKCS#8.
        return format === 'PKCS#8' ? [opensslEd25519(passphrase)] : []
      }
      sshKeygen('-p', '-P', '', '-N', passphrase ?? '', '-a', '1', ...options, '-f', path)
      const name = `${type} ${bits}, ${format}, ${passphrase === undefined ? 'plain' : 'encrypted'}`
      return [sample(name, path, passphrase, readFileSync(`${source}.pub`, 'utf8'))]
    })
  )
})

const rsaPem = find('rsa 2048, PEM, plain')
samples.push(ppk(undefined), ppk(SECRET))

const ed25519 = find('ed25519 256, OpenSSH, plain')
const encrypted = find('ed25519 256, OpenSSH, encrypted')

function sshKeygen(...options: string[]): string {
  return execFileSync('ssh-keygen', ['-q', ...options], { encoding: 'utf8', stdio: 'pipe' })
}

function openssl(...options: string[]): string {
  return execFileSync('openssl', options, { encoding: 'utf8', stdio: 'pipe' })
}

function sample(name: string, path: string, passphrase: string | undefined, pub: string): Sample {
  const [type = '', base64 = ''] = pub.split(' ')
  const pubPath = join(folder, 'compared.pub')
  writeFileSync(pubPath, pub)
  const fingerprint = sshKeygen('-lf', pubPath).split(' ')[1] ?? ''
  const publicKey = Buffer.from(base64, 'base64')
  return { name, text: readFileSync(path, 'utf8'), passphrase, type, publicKey, fingerprint }
}

function find(name: string): Sample {
  const found = samples.find(candidate => candidate.name === name)
  if (found === undefined) throw new Error(`no sample ${name}`)
  return found
}

function opensslEd25519(passphrase: string | undefined): Sample {
  const plain = join(folder, 'openssl')
  const path = join(folder, 'openssl.pem')
  writeFileSync(plain, openssl('genpkey', '-algorithm', 'ed25519'), { mode: 0o600 })
  const encryption = passphrase === undefined ? [] : ['-aes256', '-passout', `pass:${passphrase}`]
  openssl('pkey', '-in', plain, ...encryption, '-out', path)
  const der = execFileSync('openssl', ['pkey', '-in', plain, '-pubout', '-outform', 'DER'])
  const blob = wire('ssh-ed25519', der.subarray(-32)).toString('base64')
  const name = `ed25519 256, PKCS#8, ${passphrase === undefined ? 'plain' : 'encrypted'}`
  return sample(name, path, passphrase, `ssh-ed25519 ${blob}`)
}

function wire(...values: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    values.flatMap(value => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(value))
      return [length, Buffer.from(value)]
    })
  )
}

/** PuTTY's version 2 of the RSA key (PuTTY manual, appendix C.3: "PPK version 2"). */
function ppk(passphrase: string | undefined, comment = 'rsa key, 2024'): Sample {
  const jwk = createPrivateKey(rsaPem.text).export({ format: 'jwk' })
  const [d, p, q, qi] = [jwk.d, jwk.p, jwk.q, jwk.qi].map(value =>
    mpint(Buffer.from(value ?? '', 'base64url'))
  )
  let secret = wire(d ?? '', p ?? '', q ?? '', qi ?? '')
  const encryption = passphrase === undefined ? 'none' : 'aes256-cbc'
  if (passphrase !== undefined) {
    const missing = -secret.length & 15
    secret = Buffer.concat([secret, createHash('sha1').update(secret).digest().subarray(0, missing)])
  }
  const macKey = createHash('sha1')
    .update(`putty-private-key-file-mac-key${passphrase ?? ''}`)
    .digest()
  const mac = createHmac('sha1', macKey)
    .update(wire('ssh-rsa', encryption, comment, rsaPem.publicKey, secret))
    .digest('hex')
  if (passphrase !== undefined) {
    const halves = [0, 1].map(count =>
      createHash('sha1')
        .update(Buffer.from([0, 0, 0, count]))
        .update(passphrase)
        .digest()
    )
    const cipher = createCipheriv('aes-256-cbc', Buffer.concat(halves).subarray(0, 32), Buffer.alloc(16))
    secret = Buffer.concat([cipher.setAutoPadding(false).update(secret), cipher.final()])
  }
  const lines = (bytes: Buffer) => bytes.toString('base64').match(/.{1,64}/g) ?? []
  const text = [
    'PuTTY-User-Key-File-2: ssh-rsa',
    `Encryption: ${encryption}`,
    `Comment: ${comment}`,
    `Public-Lines: ${lines(rsaPem.publicKey).length}`,
    ...lines(rsaPem.publicKey),
    `Private-Lines: ${lines(secret).length}`,
    ...lines(secret),
    `Private-MAC: ${mac}`,
    ''
  ].join('\n')
  return {
    ...rsaPem,
    name: `rsa 2048, PuTTY, ${passphrase === undefined ? 'plain' : 'encrypted'}`,
    text,
    passphrase
  }
}

function mpint(bytes: Buffer): Buffer {
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes])
}

function expectKey(text: string, { passphrase, type, publicKey, fingerprint }: Sample): void {
  const login = readPrivateKey(text, passphrase)
  expect([login.type, login.fingerprint]).toEqual([type, fingerprint])
  const parsed = ssh2.utils.parseKey(login.key)
  if (parsed instanceof Error) throw parsed
  expect(parsed.type).toBe(type)
  expect(parsed.getPublicSSH()).toEqual(publicKey)
  expect(parsed.isPrivateKey()).toBe(true)
}

function refusal(text: string, passphrase: string | undefined, code: ErrorCode, input = 'key'): string {
  try {
    readPrivateKey(text, passphrase, input)
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
    expect(error.code).toBe(code)
    expectNoKeyMaterial(error.message, text)
    return error.message
  }
  throw new Error('the key is accepted')
}

function expectNoKeyMaterial(message: string, text: string): void {
  for (const word of text.match(/[A-Za-z0-9+/=]{20,}/g) ?? [])
    expect(message).not.toContain(word.slice(0, 20))
}

/** What happens to keys between a file and an input. */
const PASTES: Record<string, (text: string) => string> = {
  'as it is': text => text,
  CRLF: text => text.replaceAll('\n', '\r\n'),
  'lone CR': text => text.replaceAll('\n', '\r'),
  'no line break at the end': text => text.trimEnd(),
  '\\n for line breaks': text => text.replaceAll('\n', '\\n'),
  '\\r\\n for line breaks': text => text.replaceAll('\n', '\\r\\n'),
  '\\\\n for line breaks': text => text.trimEnd().replaceAll('\n', '\\\\n'),
  'blanks and lines around it': text => `\n\n   ${text}  \n\t\n`,
  'indented by blanks': text => text.replace(/^/gm, '    '),
  'indented by tabs': text => text.replace(/^/gm, '\t'),
  'indented by no-break spaces': text => text.replace(/^/gm, '\u00a0\u00a0'),
  'blanks at the ends of the lines': text => text.replaceAll('\n', '  \n'),
  'blank lines in between': text => text.replaceAll('\n', '\n\n'),
  'blanks for line breaks': text => text.replaceAll('\n', ' '),
  'base64 around it': text => Buffer.from(text).toString('base64'),
  'base64 in lines around it': text =>
    (
      Buffer.from(text)
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    ).join('\n'),
  'base64 around CRLF': text => Buffer.from(text.replaceAll('\n', '\r\n')).toString('base64'),
  'double quotes': text => `"${text}"`,
  'single quotes and \\n': text => `'${text.replaceAll('\n', '\\n')}'`,
  'a byte order mark': text => `\ufeff${text}`,
  'zero-width spaces': text => text.replaceAll('\n', '\u200b\n\u200b')
}

describe.each(samples.map(each => [each.name, each] as const))('%s', (_name, each) => {
  test.each(Object.entries(PASTES))('pasted with %s', (_paste, paste) => {
    expectKey(paste(each.text), each)
  })

  test('is known to want a passphrase, or not', () => {
    expect(isEncryptedKey(each.text)).toBe(each.passphrase !== undefined)
  })

  test('pasted in several of these ways at once', () => {
    const ways = fc.shuffledSubarray(Object.entries(PASTES), { maxLength: 3 })
    fc.assert(
      fc.property(ways.filter(combinable), chosen => {
        expectKey(
          chosen.reduce((text, [, paste]) => paste(text), each.text),
          each
        )
      }),
      { numRuns: 20 }
    )
  })

  test.each([0.2, 0.5, 0.8, 0.9])('cut off after %d of it', fraction => {
    const cut = each.text.slice(0, Math.floor(each.text.length * fraction))
    expect(refusal(cut, each.passphrase, 'private-key')).toMatch(/cut off/)
  })

  if (each.passphrase === undefined) {
    test('a passphrase that is not needed does no harm', () => {
      expectKey(each.text, { ...each, passphrase: 'not needed' })
    })
  } else {
    test.each([undefined, ''])('without passphrase (%p)', passphrase => {
      const message = refusal(each.text, passphrase, 'private-key')
      expect(message).toMatch(/^key: is encrypted .*; passphrase must hold/)
    })

    test('with a wrong passphrase', () => {
      const message = refusal(each.text, 'wrong', 'private-key', 'jump-key')
      expect(message).toMatch(/^jump-passphrase: must be the passphrase of jump-key/)
    })
  }
})

/** Blanks for line breaks are undone once; base64 of base64, or with something around it, is no one's paste. */
function combinable(chosen: readonly (readonly [string, unknown])[]): boolean {
  return chosen.every(([name], index) => !name.startsWith('base64') || index === 0)
}

describe('more of the formats', () => {
  test.each([
    '3des-cbc',
    'aes128-cbc',
    'aes256-cbc',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com'
  ])('OpenSSH with %s', cipher => {
    const path = copy(ed25519.text)
    sshKeygen('-p', '-P', '', '-N', SECRET, '-a', '1', '-Z', cipher, '-f', path)
    const text = readFileSync(path, 'utf8')
    expectKey(text, { ...ed25519, passphrase: SECRET })
    expect(refusal(text, 'wrong', 'private-key')).toContain('passphrase: must be the passphrase')
  })

  test.each(['-aes128', '-aes256', '-des3'])('PEM with %s, its lines joined without anything', cipher => {
    const text = openssl(
      'rsa',
      '-in',
      copy(rsaPem.text),
      '-traditional',
      cipher,
      '-passout',
      `pass:${SECRET}`
    )
    expect(text).toContain('DEK-Info')
    expectKey(text.replaceAll('\n', ''), { ...rsaPem, passphrase: SECRET })
  })

  test('PuTTY with a Windows path in its comment, which the checksum covers', () => {
    const sample = ppk(undefined, 'C:\\new\\rsa')
    expectKey(sample.text, sample)
  })

  test('EC with its parameters before it, as openssl ecparam writes it', () => {
    const text = openssl('ecparam', '-name', 'prime256v1', '-genkey')
    expect(text).toContain('BEGIN EC PARAMETERS')
    expect(readPrivateKey(text, undefined).type).toBe('ecdsa-sha2-nistp256')
  })

  test('ECDSA numbers of any length: shorter ones, and those with the highest bit set', () => {
    for (let count = 0; count < 40; count++) {
      const path = join(folder, `ec${count}`)
      sshKeygen('-t', 'ecdsa', '-b', '256', '-N', '', '-f', path)
      expectKey(
        readFileSync(path, 'utf8'),
        sample('ec', path, undefined, readFileSync(`${path}.pub`, 'utf8'))
      )
    }
  })

  test('ssh-keygen reads what comes out of an ed25519 PKCS#8', () => {
    const { text, fingerprint } = find('ed25519 256, PKCS#8, plain')
    const path = copy(readPrivateKey(text, undefined).key)
    expect(sshKeygen('-y', '-f', path)).toMatch(/^ssh-ed25519 /)
    expect(sshKeygen('-lf', path)).toContain(fingerprint)
  })
})

/** A file without passphrase, whatever it holds (OpenSSH's PROTOCOL.key, section 1). */
function openSshFile(publicKey: Buffer, secret: Buffer): string {
  const count = Buffer.from([0, 0, 0, 1])
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    wire('none', 'none', ''),
    count,
    wire(publicKey, secret)
  ])
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${file.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----`
}

function copy(text: string): string {
  const path = join(folder, 'copy')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

describe('keys that have to be converted', () => {
  test('OpenSSH with chacha20-poly1305', () => {
    const path = copy(ed25519.text)
    sshKeygen('-p', '-P', '', '-N', SECRET, '-Z', 'chacha20-poly1305@openssh.com', '-f', path)
    const message = refusal(readFileSync(path, 'utf8'), SECRET, 'private-key')
    expect(message).toContain('ssh-keygen -p -Z aes256-ctr')
  })

  test.each([
    ['version 3', 'PuTTY-User-Key-File-3: ssh-ed25519', 'version 3'],
    ['version 3 with RSA', 'PuTTY-User-Key-File-3: ssh-rsa', 'version 3'],
    ['version 2 with ed25519', 'PuTTY-User-Key-File-2: ssh-ed25519', 'another type than RSA']
  ])('PuTTY %s', (_name, first, found) => {
    const text = find('rsa 2048, PuTTY, plain').text.replace(/^.*/, first)
    const message = refusal(text, undefined, 'private-key')
    expect(message).toContain(found)
    expect(message).toContain('puttygen KEYFILE -O private-openssh')
  })

  test.each([
    ['PKCS#8 with PBES1', ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES']],
    ['PEM with DES', ['rsa', '-traditional', '-des']]
  ])('%s', (_name, [command = '', ...options]) => {
    const providers = ['-provider', 'legacy', '-provider', 'default']
    const text = openssl(command, '-in', copy(rsaPem.text), ...options, '-passout', 'pass:x', ...providers)
    expect(refusal(text, 'x', 'private-key')).toContain('openssl pkcs8 -topk8')
  })

  test('DSA, which nothing converts: a new key is asked for', () => {
    // OpenSSH 10 makes none.
    const { privateKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 })
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(refusal(pkcs8, undefined, 'private-key')).toContain('dsa')
    const pem = openssl('pkey', '-traditional', '-in', copy(pkcs8))
    expect(pem).toContain('BEGIN DSA PRIVATE KEY')
    expect(refusal(pem, undefined, 'private-key')).toContain('ssh-keygen -t ed25519')
    const numbers = Array.from({ length: 4 }, () => Buffer.alloc(20, 1))
    const openSsh = openSshFile(wire('ssh-dss', ...numbers), wire('12345678'))
    expect(refusal(openSsh, undefined, 'private-key')).toContain('DSA')
  })

  test('FIDO, which works with its token only: a new key is asked for', () => {
    const type = 'sk-ssh-ed25519@openssh.com'
    const text = openSshFile(wire(type, Buffer.alloc(32), 'ssh:'), wire('12345678'))
    const message = refusal(text, undefined, 'private-key')
    expect(message).toContain(type)
    expect(message).toContain('ssh-keygen -t ed25519')
  })

  test.each([
    ['ed448', ['genpkey', '-algorithm', 'ed448'], 'ed448'],
    ['secp256k1', ['ecparam', '-name', 'secp256k1', '-genkey'], 'secp256k1'],
    ['RSA-PSS', ['genpkey', '-algorithm', 'rsa-pss'], 'rsa-pss']
  ])('%s', (_name, command, found) => {
    expect(refusal(openssl(...command), undefined, 'private-key')).toContain(found)
  })

  test("the format of ssh.com's clients", () => {
    const label = 'SSH2 ENCRYPTED PRIVATE KEY'
    const text = `---- BEGIN ${label} ----\nComment: "x"\nP2/56wAAAgIAAAAm\n---- END ${label} ----`
    expect(refusal(text, undefined, 'private-key')).toContain('ssh-keygen -i')
  })
})

describe('what is no private key', () => {
  const pub = `ssh-ed25519 ${ed25519.publicKey.toString('base64')}`
  test.each([
    ['an empty text', '', 'empty'],
    ['only blank lines', ' \n\t\n ', 'empty'],
    ['empty quotes', '""', 'empty'],
    ['a placeholder', '${{ secrets.SSH_KEY }}', 'placeholder'],
    ['a shell variable', '$SSH_KEY', 'placeholder'],
    ['a masked secret', '***', 'masked'],
    ['an ed25519 public key', `${pub} me@host`, 'public key'],
    ['an RSA public key', `ssh-rsa ${rsaPem.publicKey.toString('base64')}`, 'public key'],
    ['a known_hosts line', `example.com ${pub}`, 'public key'],
    ['a PEM public key', openssl('rsa', '-in', copy(rsaPem.text), '-pubout'), 'public key'],
    ['an RFC 4716 public key', sshKeygen('-e', '-f', copy(ed25519.text)), 'public key'],
    ['a user certificate', `ssh-ed25519-cert-v01@openssh.com ${pub.split(' ')[1] ?? ''}`, 'authorized_keys'],
    ['an X.509 certificate', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----', 'certificate'],
    [
      'a PGP key',
      '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----',
      'PGP'
    ],
    ['a path', '~/.ssh/id_ed25519', 'path'],
    ['an absolute path', '/home/me/.ssh/key', 'path'],
    ['a Windows path', 'C:\\new\\id_rsa.ppk', 'path'],
    ['a file name', 'deploy.pem', 'path'],
    ['a fingerprint', ed25519.fingerprint, 'fingerprint'],
    ['the body alone', ed25519.text.replace(/-----.*-----\n/g, ''), 'without its BEGIN and END lines'],
    ['a key without its BEGIN line', ed25519.text.replace(/^.*\n/, ''), 'BEGIN'],
    ['anything', 'hunter2', '7 characters']
  ])('%s', (_name, text, found) => {
    const message = refusal(text, undefined, 'invalid-input', 'jump-key')
    expect(message).toMatch(/^jump-key: must be a private key .*, found /s)
    expect(message).toContain(found)
    expect(message).not.toContain('hunter2')
    expect(isEncryptedKey(text)).toBe(false)
  })
})

describe('damaged keys', () => {
  test('without the END line', () => {
    const text = ed25519.text.replace(/-----END.*\n/, '')
    expect(refusal(text, undefined, 'private-key')).toContain('END line')
  })

  test('two keys', () => {
    expect(refusal(ed25519.text + rsaPem.text, undefined, 'private-key')).toContain('more than one')
  })

  test('nothing between the lines', () => {
    const text = ed25519.text.replace(/(-----\n)[^-]*(-----END)/, '$1$2')
    expect(refusal(text, undefined, 'private-key')).toContain('nothing')
  })

  test.each(samples.map(each => [each.name, each] as const))('%s with a line missing', (_name, each) => {
    const lines = each.text.trim().split('\n')
    lines.splice(lines.length - 2, 1)
    const message = refusal(lines.join('\n'), each.passphrase, 'private-key')
    // Encrypted PEM and PuTTY keys do not say how long they are.
    const countable = !/DEK-Info|PuTTY/.test(each.text)
    expect(message).toMatch(countable ? /cut off|nothing between/ : /damaged/)
  })

  test('an ed25519 key whose private part is another one', () => {
    const body = Buffer.from(ed25519.text.replace(/-----.*-----/g, ''), 'base64')
    const seed = body.lastIndexOf(ed25519.publicKey.subarray(-32)) - 32
    body[seed] = (body[seed] ?? 0) ^ 1
    const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----`
    expect(refusal(text, undefined, 'private-key')).toContain('damaged')
  })

  test('an RSA key whose modulus is another one', () => {
    const jwk = createPrivateKey(rsaPem.text).export({ format: 'jwk' })
    const body = Buffer.from(rsaPem.text.replace(/-----.*-----/g, ''), 'base64')
    const modulus = body.indexOf(Buffer.from(jwk.n ?? '', 'base64url'))
    body[modulus + 40] = (body[modulus + 40] ?? 0) ^ 1
    const text = `-----BEGIN RSA PRIVATE KEY-----\n${body.toString('base64')}\n-----END RSA PRIVATE KEY-----`
    expect(refusal(text, undefined, 'private-key')).toContain('damaged')
  })

  test('an encrypted key may name its passphrase for the jump host', () => {
    expect(refusal(encrypted.text, undefined, 'private-key', 'jump-key')).toContain(
      'jump-passphrase must hold'
    )
  })
})

describe('whatever comes', () => {
  function readsOrRefuses(text: string, passphrase: string | undefined): void {
    try {
      readPrivateKey(text, passphrase)
    } catch (error) {
      if (!(error instanceof UploadError)) throw error
      expect(['private-key', 'invalid-input']).toContain(error.code)
      expectNoKeyMaterial(error.message, text)
    }
  }

  test('any text is read or refused', () => {
    const labels = fc.constantFrom(
      'OPENSSH PRIVATE KEY',
      'RSA PRIVATE KEY',
      'EC PRIVATE KEY',
      'PRIVATE KEY',
      'ENCRYPTED PRIVATE KEY'
    )
    const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
    const magic = bytes.map(tail => Buffer.concat([Buffer.from('openssh-key-v1\0'), tail]))
    const block = fc
      .tuple(labels, fc.oneof(bytes, magic))
      .map(
        ([label, body]) => `-----BEGIN ${label}-----\n${body.toString('base64')}\n-----END ${label}-----\n`
      )
    const pieces = fc.constantFrom(
      '-----BEGIN ',
      'PRIVATE KEY-----',
      '-----END ',
      'PuTTY-User-Key-File-2: ',
      '\\n',
      '\n'
    )
    const mixed = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 12 }).map(parts => parts.join(''))
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), block, mixed),
        fc.option(fc.string(), { nil: undefined }),
        readsOrRefuses
      ),
      { numRuns: 1000 }
    )
  })

  test('text that is longer than any key is refused in no time', () => {
    const units = [
      '-',
      '\\',
      '\n',
      ' ',
      '-----BEGIN ',
      'PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment:\n'
    ]
    const at = performance.now()
    for (const unit of units) readsOrRefuses(`PuTTY ${unit.repeat((512 * 1024) / unit.length)}`, undefined)
    expect(performance.now() - at).toBeLessThan(2_000)
  })

  test('a real key with any one character changed is read or refused', () => {
    const plain = samples.filter(each => each.passphrase === undefined)
    fc.assert(
      fc.property(
        fc.constantFrom(...plain),
        fc.nat(),
        fc.string({ maxLength: 2 }),
        ({ text }, at, inserted) => {
          const position = at % text.length
          readsOrRefuses(text.slice(0, position) + inserted + text.slice(position + 1), undefined)
        }
      ),
      { numRuns: 300 }
    )
  })
})
