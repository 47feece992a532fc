import type { ParsedKey } from 'ssh2'
import type { KeyObject } from 'node:crypto'
import { UploadError } from '../../core/errors.js'
import { findKeyText, formatPem } from './key-text.js'
import {
  damaged,
  type Given,
  openOpenSsh,
  openPem,
  openPpk,
  type OpenedKey,
  parse,
  refuse
} from './open-key.js'
import { readOpenSshHeader, writeEd25519 } from './openssh-key.js'
import { fingerprintOf } from './public-key.js'

/** A private key as ssh2 reads it. */
export interface LoginKey {
  /** For ssh2's `privateKey`. Not encrypted: ssh2 would pay for the passphrase again at every connection. */
  readonly key: string
  /** `ssh-ed25519`, `ssh-rsa` or `ecdsa-sha2-nistp256`, `384`, `521`. */
  readonly type: string
  /** `SHA256:…` of the public key. */
  readonly fingerprint: string
}

/**
 * Finds, repairs, decrypts and tries out a pasted private key. Throws `invalid-input` where the text holds no private
 * key and `private-key` where it holds one that cannot be used; the messages name `input` and hold no part of the key.
 */
export function readPrivateKey(text: string, passphrase: string | undefined, input = 'key'): LoginKey {
  const given: Given = { input, passphrase: passphrase === '' ? undefined : passphrase }
  const found = findKeyText(text)
  switch (found.form) {
    case 'none':
      throw new UploadError(
        'invalid-input',
        `${input}: must be a private key (OpenSSH, PEM, PKCS#8 or PuTTY), found ${found.found}`
      )
    case 'damaged':
      throw refuse(given, `must be one whole private key, found ${found.found}`)
    case 'ppk':
      return prove(openPpk(found, given), given)
    case 'pem':
      return prove(
        found.label === 'OPENSSH PRIVATE KEY' ? openOpenSsh(found, given) : openPem(found, given),
        given
      )
  }
}

/** Whether the text holds a private key that a passphrase protects; the way to ask for it before it is needed. */
export function isEncryptedKey(text: string): boolean {
  const found = findKeyText(text)
  switch (found.form) {
    case 'none':
    case 'damaged':
      return false
    case 'ppk':
      return found.encryption !== 'none'
    case 'pem': {
      if (found.label !== 'OPENSSH PRIVATE KEY') {
        return found.encryption !== undefined || found.label.startsWith('ENCRYPTED')
      }
      const header = readOpenSshHeader(found.body)
      return header !== undefined && header.cipher !== 'none'
    }
  }
}

/** Signs with the key before a server is asked: one flipped character would look like a refused login. */
function prove({ secret, publicKey }: OpenedKey, given: Given): LoginKey {
  const key = writeForSsh2(secret, given)
  const parsed = parse(key)
  if (parsed === undefined) throw damaged(given)
  const found = parsed.getPublicSSH()
  if (publicKey?.equals(found) === false || !signs(parsed)) throw damaged(given)
  return { key, type: parsed.type, fingerprint: fingerprintOf(found) }
}

/** ssh2 reads no PKCS#8 (lib/protocol/keyParser.js), and of the rest each type in its own format. */
function writeForSsh2(secret: KeyObject, given: Given): string {
  const type = secret.asymmetricKeyType
  const curve = secret.asymmetricKeyDetails?.namedCurve
  if (type === 'rsa') return secret.export({ type: 'pkcs1', format: 'pem' }).toString()
  if (type === 'ec' && curve !== undefined && ['prime256v1', 'secp384r1', 'secp521r1'].includes(curve)) {
    return secret.export({ type: 'sec1', format: 'pem' }).toString()
  }
  if (type === 'ed25519') {
    const { d, x } = secret.export({ format: 'jwk' })
    const file = writeEd25519(Buffer.from(d ?? '', 'base64url'), Buffer.from(x ?? '', 'base64url'))
    return formatPem('OPENSSH PRIVATE KEY', file, 70)
  }
  throw refuse(
    given,
    `must be an ed25519, RSA or ECDSA (P-256, P-384, P-521) key, found ${[type, curve].join(' ').trim()}; ssh-keygen -t ed25519 makes a new one`
  )
}

function signs(key: ParsedKey): boolean {
  const probe = Buffer.from('resumable-sftp-upload')
  // ssh2's own choice for RSA is SHA-1, which hardened systems refuse.
  const algorithm = key.type === 'ssh-rsa' ? 'sha256' : undefined
  const signature: unknown = key.sign(probe, algorithm)
  return Buffer.isBuffer(signature) && (key.verify(probe, signature, algorithm) as unknown) === true
}
