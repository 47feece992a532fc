import { firstStrings, readStrings, writeString } from './public-key.js'

/** The part of an openssh-key-v1 file that is never encrypted (OpenSSH's PROTOCOL.key, section 1). */
export interface OpenSshHeader {
  /** `none` for a key without passphrase. */
  readonly cipher: string
  /** The public key blob. */
  readonly publicKey: Buffer
}

/** Lengths of the authentication tags that stand after the private part; all other ciphers have none. */
const TAG_LENGTH: Readonly<Record<string, number>> = {
  'aes128-gcm@openssh.com': 16,
  'aes256-gcm@openssh.com': 16,
  'chacha20-poly1305@openssh.com': 16
}

const MAGIC = Buffer.from('openssh-key-v1\0')

/** Reads PROTOCOL.key section 1; `undefined` when the file is cut, has a byte too many or more than one key. */
export function readOpenSshHeader(file: Buffer): OpenSshHeader | undefined {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  const [cipher, kdf, options] = firstStrings(file.subarray(MAGIC.length), 3)
  if (cipher === undefined || kdf === undefined || options === undefined) return undefined
  const count = MAGIC.length + 12 + cipher.length + kdf.length + options.length
  if (count + 4 > file.length || file.readUInt32BE(count) !== 1) return undefined
  const name = cipher.toString('latin1')
  const [publicKey, secret, ...more] =
    readStrings(file.subarray(count + 4, file.length - (TAG_LENGTH[name] ?? 0))) ?? []
  if (publicKey === undefined || secret === undefined || more.length > 0) return undefined
  return { cipher: name, publicKey }
}

/** The bytes of an openssh-key-v1 file without passphrase (PROTOCOL.key); both halves of the key have 32 bytes. */
export function writeEd25519(seed: Buffer, point: Buffer): Buffer {
  const publicKey = Buffer.concat([writeString('ssh-ed25519'), writeString(point)])
  const check = Buffer.alloc(8) // two equal numbers; their value matters only under encryption
  const comment = writeString('')
  const secret = Buffer.concat([check, publicKey, writeString(Buffer.concat([seed, point])), comment])
  const padding = Buffer.from(Array.from({ length: -secret.length & 7 }, (_, index) => index + 1))
  return Buffer.concat([
    MAGIC,
    writeString('none'),
    writeString('none'),
    writeString(''),
    Buffer.from([0, 0, 0, 1]),
    writeString(publicKey),
    writeString(Buffer.concat([secret, padding]))
  ])
}
