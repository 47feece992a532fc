import { readPrivateKey } from '../../src/adapters/sftp/private-key.js'
import type { Sshd } from './sshd.js'

/** Texts that give a secret away, by what they are. */
export type Needles = ReadonlyMap<string, string>

/** The lines of a key, but for those that all keys have. */
export function needlesOfKey(name: string, key: string): Needles {
  const lines = key.split('\n').filter(line => line.length >= 8 && !line.startsWith('-----'))
  return new Map(lines.map((line, index) => [`line ${index + 1} of ${name}`, line]))
}

/** Both keys that log in there; the encrypted one as it is, and decrypted. */
export function needlesOfKeys(name: string, { encryptedKey, passphrase, privateKey }: Sshd): Needles {
  return new Map([
    ...needlesOfKey(`the key of ${name}`, privateKey),
    ...needlesOfKey(`the encrypted key of ${name}`, encryptedKey),
    ...needlesOfKey(`the decrypted key of ${name}`, readPrivateKey(encryptedKey, passphrase).key)
  ])
}

/** A passphrase or a password: whole, in other clothes, and the words that every kind of escaping leaves as they are. */
export function needlesOfText(name: string, text: string): Needles {
  const words = text.match(/[A-Za-z0-9]{8,}/g) ?? []
  return new Map([
    [name, text],
    ...[0, 1, 2].map(start => [`${name} in base64 from ${start}`, base64Of(text, start)] as const),
    [`${name} in hexadecimal`, Buffer.from(text).toString('hex')],
    [`${name} in JSON`, JSON.stringify(text).slice(1, -1)],
    [`${name} in a URL`, encodeURIComponent(text)],
    ...words.map((word, index) => [`word ${index + 1} of ${name}`, word] as const)
  ])
}

/** Whole groups of base64. Every text that has this one in it has, from one of three bytes on, the same. */
function base64Of(text: string, start: number): string {
  const bytes = Buffer.from(text).subarray(start)
  return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64')
}
