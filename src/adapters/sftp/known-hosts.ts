import { createHmac } from 'node:crypto'
import { UploadError } from '../../core/errors.js'
import { decodeBase64 } from './base64.js'
import { keyTypeOf } from './public-key.js'

/** One line of known_hosts. */
export interface KnownHost {
  /** Counted from 1. */
  readonly line: number
  readonly marker: '@revoked' | '@cert-authority' | undefined
  /** The first field: patterns with commas between them, or one hashed name. */
  readonly hosts: string
  readonly type: string
  /** The public key blob. */
  readonly key: Buffer
}

/**
 * Reads sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT"; comments, blank lines and SSH1 keys are left out. Throws
 * `invalid-input` with the line's number for all that OpenSSH would pass over in silence.
 */
export function parseKnownHosts(text: string, input: string): KnownHost[] {
  const known: KnownHost[] = []
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || isSsh1(line)) continue
    const entry = parseLine(line, index + 1)
    if (typeof entry === 'string') {
      throw new UploadError(
        'invalid-input',
        `${input} line ${index + 1}: must be "host type key" as ssh-keyscan prints it, found ${recognise(line) ?? entry}`
      )
    }
    known.push(entry)
  }
  return known
}

/** How a line speaks of `name`, which is in lower case: a negated match outweighs all other patterns. */
export function mentions(entry: KnownHost, name: string): 'names' | 'excludes' | 'neither' {
  if (isHashed(entry)) return entry.hosts === hashName(entry.hosts, name) ? 'names' : 'neither'
  let named = false
  for (const pattern of entry.hosts.toLowerCase().split(',')) {
    if (pattern.startsWith('!') && matches(name, pattern.slice(1))) return 'excludes'
    if (matches(name, pattern)) named = true
  }
  return named ? 'names' : 'neither'
}

/** The host is written as `|1|salt|HMAC-SHA1`, as by `ssh-keygen -H`. */
export function isHashed(entry: KnownHost): boolean {
  return entry.hosts.startsWith('|')
}

/** The entry, or in words what was found in its place. */
function parseLine(line: string, number: number): KnownHost | string {
  const words = line.split(/\s+/)
  const marker = words[0]?.startsWith('@') ? words.shift() : undefined
  if (marker !== undefined && marker !== '@revoked' && marker !== '@cert-authority') {
    return 'a marker other than @revoked and @cert-authority'
  }
  const [hosts, type, base64] = words
  if (hosts === undefined || type === undefined || base64 === undefined)
    return `${words.length} of three words`
  if (hosts.startsWith('|') && !/^\|1\|[A-Za-z0-9+/]{27}=\|[A-Za-z0-9+/]{27}=$/.test(hosts)) {
    return 'a damaged hashed host name'
  }
  const key = decodeBase64(base64)
  if (key === undefined) return 'a key that is not base64, or was cut'
  const inside = keyTypeOf(key)
  if (inside === 'unknown') return 'base64 that does not hold a whole key'
  if (inside !== type) return `the type ${clip(type)} before a key of type ${inside}`
  return { line: number, marker, hosts, type, key }
}

/** Names what people paste by mistake. Nothing that could be a secret is repeated. */
function recognise(line: string): string | undefined {
  const words = line.split(/\s+/)
  const [first = '', second = ''] = words
  if (line.includes('-----')) return 'a line of a key file'
  if (/\bSHA256:/.test(line)) return 'a fingerprint, which belongs in host-key-fingerprint'
  if (/\b(?:[0-9a-f]{2}:){15}[0-9a-f]{2}\b/i.test(line)) return 'an MD5 fingerprint'
  if (/^(?:ssh-|ecdsa-|sk-)\S+$/.test(first) && decodeBase64(second) !== undefined) {
    return 'a public key without the host name before it'
  }
  if (
    /^(?:getaddrinfo|connect|read|write|ssh-keyscan|no hostkey|kex_\w+)\b|: Connection |: no hostkey/i.test(
      line
    )
  ) {
    return `an error message of ssh-keyscan: ${clip(line)}`
  }
  if (words.length === 1 && /^[A-Za-z0-9+/=]{40,}$/.test(first)) return 'the key alone, without host and type'
  return undefined
}

/** The RSA keys of SSH protocol 1: host, bits, exponent, modulus. */
function isSsh1(line: string): boolean {
  return /^(?:@\S+\s+)?\S+\s+\d{1,7}\s+\d+\s+\d+(?:\s|$)/.test(line)
}

/** The field that `name` would have with the salt of `hashed`. */
function hashName(hashed: string, name: string): string {
  const salt = hashed.split('|')[2] ?? ''
  const hmac = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64')
  return `|1|${salt}|${hmac}`
}

/** `*` and `?` as in ssh_config(5) PATTERNS, without recursion: a pattern can not take long. */
function matches(name: string, pattern: string): boolean {
  let at = 0
  let position = 0
  let star = -1
  let resume = 0
  while (position < name.length) {
    if (pattern[at] === '*') {
      star = at++
      resume = position
    } else if (pattern[at] === '?' || pattern[at] === name[position]) {
      at++
      position++
    } else if (star >= 0) {
      at = star + 1
      position = ++resume
    } else {
      return false
    }
  }
  return /^\**$/.test(pattern.slice(at))
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
