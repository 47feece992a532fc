import { isIPv6 } from 'node:net'
import type { Shard } from '../core/shard.js'

/** The typed value of an input, or in words what the input must be. */
export type Parsed<T> = { readonly value: T } | { readonly expected: string }

export type Parse<T> = (text: string) => Parsed<T>

const CONTROL = /\p{Cc}/u

/** A text that must not be empty, in one line. */
export function parseName(text: string): Parsed<string> {
  return text === '' || CONTROL.test(text) ? { expected: 'a name in one line' } : { value: text }
}

/** A host name or IP address; the brackets around an IPv6 address are taken off. */
export function parseHost(text: string): Parsed<string> {
  const address = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (isIPv6(address)) return { value: address }
  const foreign = /[\s\p{Cc}/\\@:[\]]/u.test(text)
  return text === '' || foreign
    ? { expected: 'the name or IP address of the server alone, without scheme, user, port and path' }
    : { value: text }
}

/** `auto`, `off`, or the path of a socket. */
export function parseAgent(text: string): Parsed<string> {
  return text === '' || CONTROL.test(text)
    ? { expected: "auto, off or the path of an agent's socket" }
    : { value: text }
}

/** A whole number within a range, in decimal digits. */
export function wholeNumber(from: number, to: number, unit?: string): Parse<number> {
  const expected = `a whole number${unit === undefined ? '' : ` of ${unit}`} from ${from} to ${to}`
  return text => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN
    return value >= from && value <= to ? { value } : { expected }
  }
}

/** Seconds, as milliseconds. */
export function seconds(from: number, to: number): Parse<number> {
  const parse = wholeNumber(from, to, 'seconds')
  return text => {
    const parsed = parse(text)
    return 'value' in parsed ? { value: parsed.value * 1000 } : parsed
  }
}

/** `auto`, or bytes within a range. */
export function autoOrBytes(from: number, to: number): Parse<number | 'auto'> {
  const parse = wholeNumber(from, to, 'bytes')
  return text => {
    if (text === 'auto') return { value: text }
    const parsed = parse(text)
    return 'value' in parsed ? parsed : { expected: `auto or ${parsed.expected}` }
  }
}

/** A boolean as the core schema of YAML 1.2 spells it (section 10.3.2). */
export function parseBoolean(text: string): Parsed<boolean> {
  if (/^(?:true|True|TRUE)$/.test(text)) return { value: true }
  if (/^(?:false|False|FALSE)$/.test(text)) return { value: false }
  return { expected: 'true or false' }
}

/** Permission bits in octal digits, `644`, `0644` or `0o644`; nothing is `undefined`. */
export function parseMode(text: string): Parsed<number | undefined> {
  if (text === '') return { value: undefined }
  const digits = /^(?:0o?)?([0-7]{1,4})$/.exec(text)?.[1]
  return digits === undefined
    ? { expected: "octal permissions up to 7777 in quotes, such as '644', or nothing" }
    : { value: parseInt(digits, 8) }
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[]): Parse<T> {
  const expected = `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
  return text => {
    const value = words.find(word => word === text)
    return value === undefined ? { expected } : { value }
  }
}

/**
 * A path on the server. SFTP has no shell that knows `~`: as the first part it is the login directory, which relative
 * paths begin in anyway.
 */
export function parseRemotePath(text: string): Parsed<string> {
  if (text === '' || CONTROL.test(text)) return { expected: 'a path in one line; . is the login directory' }
  if (!text.startsWith('~')) return { value: text }
  if (!/^~(?:\/|$)/.test(text)) {
    return { expected: "a path, without another user's home directory (a directory named so is ./~…)" }
  }
  const rest = text.replace(/^~\/*/, '')
  return { value: rest === '' ? '.' : rest }
}

/** A local path in one line; nothing is `undefined`. */
export function parsePath(text: string): Parsed<string | undefined> {
  return CONTROL.test(text) ? { expected: 'a path in one line' } : { value: text === '' ? undefined : text }
}

/** GitHub makes at most so many jobs of a matrix. */
const MOST_SHARDS = 256

/** `I/N`; nothing is `undefined`. */
export function parseShard(text: string): Parsed<Shard | undefined> {
  if (text === '') return { value: undefined }
  const [, index, count] = /^(\d{1,3})\s*\/\s*(\d{1,3})$/.exec(text) ?? []
  const shard = { index: Number(index), count: Number(count) }
  return shard.index >= 1 && shard.index <= shard.count && shard.count <= MOST_SHARDS
    ? { value: shard }
    : { expected: `I/N with 1 ≤ I ≤ N ≤ ${MOST_SHARDS}, such as 2/5, or nothing` }
}

/** The path of a file below `remote-path`; nothing is `undefined`. */
export function parsePathBelow(text: string): Parsed<string | undefined> {
  if (text === '') return { value: undefined }
  const parts = text.split('/')
  const isBelow = !parts.some(part => part === '' || part === '.' || part === '..')
  return isBelow && !/[\p{Cc}\\\uFFFD]/u.test(text)
    ? { value: text }
    : { expected: 'the path of a file below remote-path, such as SHA256SUMS, or nothing' }
}

/** The lines of a text of which at least one is not blank; all are kept, so that they can be told by number. */
export function parseLines(text: string): Parsed<readonly string[]> {
  return text === '' ? { expected: 'at least one line' } : { value: text.split(/\r\n|\r|\n/) }
}
