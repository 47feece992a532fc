import type { ServerHostKeyAlgorithm } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import { decodeBase64 } from './base64.js'
import { isHashed, type KnownHost, mentions, parseKnownHosts } from './known-hosts.js'
import { fingerprintOf, keyTypeOf } from './public-key.js'

/** What the user says about the server's key. */
export interface HostKeySettings {
  readonly check: 'strict' | 'off'
  /** The text of a known_hosts file; may be empty. */
  readonly knownHosts: string
  /** `SHA256:…`, one each; blank ones are passed over. */
  readonly fingerprints: readonly string[]
}

/** Which keys of one server are accepted. */
export interface HostKeyPolicy {
  /** For ssh2's `algorithms.serverHostKey`, most wanted first; `undefined` leaves ssh2's own list. */
  readonly algorithms: ServerHostKeyAlgorithm[] | undefined
  /** Judges the raw public key blob; `undefined` accepts it, a `host-key` error says why not. Never throws. */
  readonly verify: (key: Buffer) => UploadError | undefined
}

interface Server {
  readonly host: string
  readonly port: number
}

/** ssh2's default list, in its order (lib/protocol/constants.js). */
const ALGORITHMS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa'
]

/**
 * Reads all that is pinned, before any connection; throws `invalid-input` for what cannot be read. `prefix` goes
 * before the names of the inputs in messages (`jump-`).
 */
export function createHostKeyPolicy(settings: HostKeySettings, server: Server, prefix = ''): HostKeyPolicy {
  const input = `${prefix}known-hosts`
  const names = lookupNames(server)
  const known = parseKnownHosts(settings.knownHosts, input)
  const fingerprints = parseFingerprints(settings.fingerprints, `${prefix}host-key-fingerprint`)
  const pinned = pinnedFor(known, names)
  const revoked = known.filter(
    entry => entry.marker === '@revoked' && names.some(name => mentions(entry, name) === 'names')
  )

  function verify(key: Buffer): UploadError | undefined {
    const revocation = revoked.find(entry => entry.key.equals(key))
    if (revocation !== undefined) {
      return refusal(names[0], [
        `the server offers a key that ${input} line ${revocation.line} marks @revoked: ${describe(key)}`
      ])
    }
    if (settings.check === 'off') return undefined
    if (keyTypeOf(key) === 'unknown') {
      return refusal(names[0], [`expected a public key, found ${key.length} bytes that are not one`])
    }
    if (pinned.some(entry => entry.key.equals(key))) return undefined
    if (fingerprints.includes(fingerprintOf(key))) return undefined
    if (pinned.length > 0 || fingerprints.length > 0) return mismatch(key)
    return refusal(names[0], [whyNothingIsPinned(), ...howToPin(key)])
  }

  function mismatch(key: Buffer): UploadError {
    const expected = [...pinned.map(entry => describe(entry.key)), ...fingerprints]
    const place =
      pinned.length > 0 ? `${input} in place of the old one` : `${input} in place of the fingerprint`
    return refusal(names[0], [
      `expected ${list(expected)}, found ${describe(key)}`,
      "Either the server's key changed, or someone stands between this machine and the server.",
      `Only if the change is expected: compare the fingerprint with the server's own key, then put this line into ${place}:`,
      pinLine(names[0], key)
    ])
  }

  function howToPin(key: Buffer): string[] {
    return [
      `The server offers ${describe(key)}`,
      `Compare that with the server's real key first (on the server: cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -). Only if they are the same, put this line into ${input}:`,
      pinLine(names[0], key)
    ]
  }

  function whyNothingIsPinned(): string {
    const authority = known.some(
      entry => entry.marker === '@cert-authority' && names.some(name => mentions(entry, name) === 'names')
    )
    if (authority) {
      return `${input} has only a @cert-authority for this server; host certificates cannot be checked here, pin the server's own key instead`
    }
    if (known.length === 0) return 'no key is pinned, so nothing tells the server from an impostor'
    const hashed = known.filter(isHashed).length
    const plain = new Set(known.filter(entry => !isHashed(entry)).map(entry => entry.hosts))
    const named = [...plain, ...(hashed > 0 ? [`${hashed} hashed`] : [])]
    return `${input} has no line for it; it names ${list(named)}`
  }

  return { algorithms: algorithmsFor(settings, pinned, fingerprints), verify }
}

/**
 * The names a server is looked up by, most telling first. As OpenSSH: `[host]:port`, and only the host where the
 * port is 22 (misc.c, put_host_port).
 */
function lookupNames({ host, port }: Server): [string, ...string[]] {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return port === 22 ? [bare] : [`[${bare}]:${port}`, bare]
}

/**
 * As OpenSSH: lines for `[host]:port`; where there are none, those for the host without a port (sshconnect.c,
 * check_host_key, "checking without port identifier").
 */
function pinnedFor(known: readonly KnownHost[], names: readonly string[]): readonly KnownHost[] {
  const open = known.filter(
    entry => entry.marker === undefined && names.every(name => mentions(entry, name) !== 'excludes')
  )
  for (const name of names) {
    const pinned = open.filter(entry => mentions(entry, name) === 'names')
    if (pinned.length > 0) return pinned
  }
  return []
}

/**
 * A server has keys of several types and shows one: it must be asked for a type that is pinned. What type a
 * fingerprint has is not known, so with fingerprints the other types follow.
 */
function algorithmsFor(
  { check }: HostKeySettings,
  pinned: readonly KnownHost[],
  fingerprints: readonly string[]
): ServerHostKeyAlgorithm[] | undefined {
  const wanted = ALGORITHMS.filter(algorithm => pinned.some(entry => entry.type === keyTypeFor(algorithm)))
  if (check === 'off' || wanted.length === 0) return undefined
  if (fingerprints.length === 0) return wanted
  return [...wanted, ...ALGORITHMS.filter(algorithm => !wanted.includes(algorithm))]
}

/** RSA keys sign under three names (RFC 8332). */
function keyTypeFor(algorithm: ServerHostKeyAlgorithm): string {
  return algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm
}

function parseFingerprints(lines: readonly string[], input: string): string[] {
  return lines
    .map(line => line.trim())
    .filter(line => line !== '')
    .map(line => {
      const digest = /^SHA256:(\S+)$/.exec(line)?.[1]
      if (digest !== undefined && decodeBase64(digest)?.length === 32) return line.replace(/=+$/, '')
      throw new UploadError(
        'invalid-input',
        `${input}: must be SHA256: and 43 characters of base64, as "ssh-keygen -lf" prints it, found ${nameFingerprint(line)}`
      )
    })
}

function nameFingerprint(line: string): string {
  if (/^(?:MD5:)?(?:[0-9a-f]{2}:){15}[0-9a-f]{2}$/i.test(line)) {
    return 'an MD5 fingerprint (ssh-keygen -E sha256 -lf prints the right one)'
  }
  if (/^(?:SHA256:)?(?:[0-9a-f]{2}:?){32}$/i.test(line)) return 'hexadecimal digits'
  if (/^\S+\s+(?:ssh-|ecdsa-)|^(?:ssh-|ecdsa-)/.test(line)) return 'a key, which belongs in known-hosts'
  if (line.startsWith('SHA256:'))
    return `${line.length - 7} characters after SHA256:, which do not give 32 bytes`
  return `${line.length} characters that do not begin with SHA256:`
}

function refusal(name: string, lines: readonly string[]): UploadError {
  return new UploadError('host-key', `host key of ${name}: ${lines.join('\n')}`)
}

function describe(key: Buffer): string {
  return `${keyTypeOf(key)} ${fingerprintOf(key)}`
}

function pinLine(name: string, key: Buffer): string {
  return `${name} ${keyTypeOf(key)} ${key.toString('base64')}`
}

function list(items: readonly string[]): string {
  const rest = items.slice(8)
  return [...items.slice(0, 8), ...(rest.length > 0 ? [`${rest.length} more`] : [])].join(', ')
}
