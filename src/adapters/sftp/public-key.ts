import { createHash } from 'node:crypto'
import { encodeBare } from './base64.js'

/** `SHA256:` and the unpadded base64 SHA-256 of a public key blob, as `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${encodeBare(createHash('sha256').update(key).digest())}`
}

/** The key type named inside a public key blob (RFC 4253 section 6.6); `unknown` when it is not a whole blob. */
export function keyTypeOf(key: Buffer): string {
  const [type, ...values] = readStrings(key) ?? []
  if (type === undefined || values.length === 0) return 'unknown'
  const name = type.toString('latin1')
  // The name comes from the server and goes into logs: a line break in it could forge workflow commands.
  return /^[a-z0-9][a-z0-9@.-]{2,63}$/.test(name) ? name : 'unknown'
}

/** Splits bytes that are SSH strings and nothing else (RFC 4251 section 5); `undefined` when they are not. */
export function readStrings(bytes: Buffer): Buffer[] | undefined {
  const strings = firstStrings(bytes, Infinity)
  const length = strings.reduce((sum, string) => sum + 4 + string.length, 0)
  return length === bytes.length ? strings : undefined
}

/** The first `count` SSH strings, fewer where the bytes end or a string is cut. */
export function firstStrings(bytes: Buffer, count: number): Buffer[] {
  const strings: Buffer[] = []
  let start = 0
  while (strings.length < count && start + 4 <= bytes.length) {
    const end = start + 4 + bytes.readUInt32BE(start)
    if (end > bytes.length) break
    strings.push(bytes.subarray(start + 4, end))
    start = end
  }
  return strings
}

/** One SSH string: its length in four bytes, then its bytes (RFC 4251 section 5). */
export function writeString(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
