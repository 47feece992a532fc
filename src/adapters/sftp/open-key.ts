import { createPrivateKey, type KeyObject } from 'node:crypto'
import ssh2, { type ParsedKey } from 'ssh2'
import { codeOf, UploadError } from '../../core/errors.js'
import { formatPem, type KeyText } from './key-text.js'
import { readOpenSshHeader } from './openssh-key.js'
import { keyTypeOf } from './public-key.js'

/** What the user gave besides the text of the key. */
export interface Given {
  /** `key` or `jump-key`, for messages. */
  readonly input: string
  readonly passphrase: string | undefined
}

/** A decrypted key. */
export interface OpenedKey {
  readonly secret: KeyObject
  /** The public key blob, where the format states it beside the private part. */
  readonly publicKey: Buffer | undefined
}

type Pem = Extract<KeyText, { form: 'pem' }>
type Ppk = Extract<KeyText, { form: 'ppk' }>

/** What ssh2 decrypts of what `ssh-keygen -Z` offers; chacha20-poly1305 it only claims to. */
const OPENSSH_CIPHERS = /^(?:none|aes(?:128|192|256)-(?:ctr|cbc)|aes(?:128|256)-gcm@openssh\.com|3des-cbc)$/

const NEW_KEY = '"ssh-keygen -t ed25519" makes a new one'

const PUTTYGEN =
  '"puttygen KEYFILE -O private-openssh -o NEWFILE" (PuTTYgen: Conversions, Export OpenSSH key)'

/** Opens openssh-key-v1 (PROTOCOL.key); throws `private-key`. */
export function openOpenSsh(pem: Pem, given: Given): OpenedKey {
  const header = readOpenSshHeader(pem.body)
  if (header === undefined) throw cutOff(given, pem.body)
  const type = keyTypeOf(header.publicKey)
  if (type.startsWith('sk-')) {
    throw refuse(given, `must be a key that works without its token, found a FIDO key (${type}); ${NEW_KEY}`)
  }
  if (type === 'ssh-dss') throw dsa(given)
  const { cipher } = header
  if (!OPENSSH_CIPHERS.test(cipher)) {
    const name = /^[a-z0-9@.-]{1,64}$/.test(cipher) ? cipher : 'an unknown cipher'
    throw refuse(
      given,
      `is encrypted with ${name}; "ssh-keygen -p -Z aes256-ctr -f KEYFILE" changes it to a supported one`
    )
  }
  const encrypted = cipher !== 'none'
  if (encrypted && given.passphrase === undefined) throw noPassphrase(given, cipher)
  const parsed = parse(formatPem(pem.label, pem.body, 70), given.passphrase)
  if (parsed === undefined) throw encrypted ? wrongPassphrase(given, cipher) : damaged(given)
  return { secret: load(parsed, given), publicKey: header.publicKey }
}

/** Opens traditional PEM and PKCS#8 (RFC 5958) with what OpenSSL reads; throws `private-key`. */
export function openPem(pem: Pem, given: Given): OpenedKey {
  const { label, body } = pem
  if (label === 'DSA PRIVATE KEY') throw dsa(given)
  if (!/^(?:(?:RSA|EC|ENCRYPTED) )?PRIVATE KEY$/.test(label)) {
    throw refuse(
      given,
      `must be an OpenSSH, PEM, PKCS#8 or PuTTY key, found "BEGIN ${label}"; ssh-keygen -i -f KEYFILE may convert it`
    )
  }
  const cipher = pem.encryption?.split(',')[0] ?? (label.startsWith('ENCRYPTED') ? 'PKCS#8' : undefined)
  if (pem.encryption === undefined && derLength(body) !== body.length) throw cutOff(given, body)
  if (cipher !== undefined && given.passphrase === undefined) throw noPassphrase(given, cipher)
  try {
    const secret = createPrivateKey({
      key: formatPem(label, body, 64, pem.encryption),
      ...(cipher !== undefined && { passphrase: given.passphrase })
    })
    return { secret, publicKey: undefined }
  } catch (error) {
    if (codeOf(error) === 'ERR_OSSL_EVP_UNSUPPORTED') {
      throw refuse(
        given,
        'is encrypted with a cipher of old; "openssl pkcs8 -topk8 -v2 aes-256-cbc -provider legacy -provider default -in KEYFILE -out NEWFILE" changes it to a supported one'
      )
    }
    throw cipher === undefined ? damaged(given) : wrongPassphrase(given, cipher)
  }
}

/** Opens PuTTY's format as far as ssh2 does, version 2 with RSA; throws `private-key`. */
export function openPpk(ppk: Ppk, given: Given): OpenedKey {
  if (ppk.type === 'ssh-dss') throw dsa(given)
  if (ppk.version !== '2' || ppk.type !== 'ssh-rsa') {
    const found = ppk.version === '2' ? 'another type than RSA' : `version ${ppk.version}`
    throw refuse(
      given,
      `of PuTTY's keys only version 2 with RSA is supported, found ${found}; ${PUTTYGEN} converts it`
    )
  }
  const encrypted = ppk.encryption !== 'none'
  if (encrypted && given.passphrase === undefined) throw noPassphrase(given, 'PuTTY')
  // Without encryption the checksum is made with the empty passphrase; ssh2 would take one that is given.
  const parsed = parse(ppk.text, encrypted ? given.passphrase : undefined)
  if (parsed === undefined) throw encrypted ? wrongPassphrase(given, 'PuTTY') : damaged(given)
  return { secret: load(parsed, given), publicKey: parsed.getPublicSSH() }
}

/**
 * Reads a key as a connection would; `undefined` where ssh2 cannot, for which it returns an error, nothing at all or
 * throws.
 */
export function parse(text: string, passphrase?: string): ParsedKey | undefined {
  try {
    const parsed: unknown = ssh2.utils.parseKey(text, passphrase)
    return isParsed(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** A `private-key` error that names the input. */
export function refuse({ input }: Given, what: string): UploadError {
  return new UploadError('private-key', `${input}: ${what}`)
}

/** The error for a key that is whole, but does not work. */
export function damaged(given: Given): UploadError {
  return refuse(
    given,
    'must be a working private key, found one whose content is damaged; paste the whole file again'
  )
}

function cutOff(given: Given, body: Buffer): UploadError {
  return refuse(
    given,
    `must be one whole private key, found one that is cut off or damaged, of ${body.length} bytes`
  )
}

function dsa(given: Given): UploadError {
  return refuse(
    given,
    `must be an ed25519, RSA or ECDSA key, found a DSA key, which servers no longer accept; ${NEW_KEY}`
  )
}

function noPassphrase(given: Given, cipher: string): UploadError {
  return refuse(
    given,
    `is encrypted (${cipher}); ${passphraseInput(given)} must hold its passphrase, and is empty`
  )
}

function wrongPassphrase(given: Given, cipher: string): UploadError {
  return new UploadError(
    'private-key',
    `${passphraseInput(given)}: must be the passphrase of ${given.input}, but does not decrypt it (${cipher}); either it is the wrong one or the key is damaged`
  )
}

function passphraseInput({ input }: Given): string {
  return input.replace(/key$/, 'passphrase')
}

function load(parsed: ParsedKey, given: Given): KeyObject {
  try {
    return createPrivateKey(parsed.getPrivatePEM())
  } catch {
    throw damaged(given)
  }
}

/** Bytes that the outer SEQUENCE takes by its own account (X.690 section 8.1.3); `undefined` when there is none. */
function derLength(bytes: Buffer): number | undefined {
  const first = bytes[1]
  if (bytes[0] !== 0x30 || first === undefined) return undefined
  if (first < 0x80) return 2 + first
  const width = first & 0x7f
  if (width < 1 || width > 4 || bytes.length < 2 + width) return undefined
  return 2 + width + bytes.readUIntBE(2, width)
}

function isParsed(value: unknown): value is ParsedKey {
  return typeof value === 'object' && value !== null && 'getPrivatePEM' in value
}
