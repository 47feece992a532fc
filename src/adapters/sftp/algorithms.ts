import type { Algorithms, ServerHostKeyAlgorithm } from 'ssh2'

type Listed<K extends keyof Algorithms> = Extract<NonNullable<Algorithms[K]>, readonly unknown[]>

/** As ssh2 has it (lib/protocol/constants.js). */
const KEX: Listed<'kex'> = [
  'curve25519-sha256@libssh.org',
  'curve25519-sha256',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group-exchange-sha256',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group15-sha512',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group17-sha512',
  'diffie-hellman-group18-sha512'
]

/** AES-GCM first: authenticated in one pass, and in hardware nearly everywhere. */
const CIPHERS: Listed<'cipher'> = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr'
]

const HOST_KEYS: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256'
]

/** What OpenSSH no longer offers by itself: SHA-1 for the key exchange (since 8.2) and CBC (since 7.6). */
const LEGACY_KEX: Listed<'kex'> = [
  'diffie-hellman-group-exchange-sha1',
  'diffie-hellman-group14-sha1',
  'diffie-hellman-group1-sha1'
]
const LEGACY_CIPHERS: Listed<'cipher'> = ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc']

/** An RSA host key that signs with SHA-1 (not offered by OpenSSH since 8.8). */
const LEGACY_HOST_KEY = 'ssh-rsa'

/**
 * What is offered to a server, most wanted first. `pinned` are the types of host key that are known of it; those of old
 * servers are offered only when asked for, and last.
 */
export function offeredAlgorithms(
  pinned: readonly ServerHostKeyAlgorithm[] | undefined,
  legacy: boolean
): Algorithms {
  const hostKeys = pinned ?? [...HOST_KEYS, LEGACY_HOST_KEY]
  return legacy
    ? { kex: [...KEX, ...LEGACY_KEX], cipher: [...CIPHERS, ...LEGACY_CIPHERS], serverHostKey: [...hostKeys] }
    : { kex: KEX, cipher: CIPHERS, serverHostKey: hostKeys.filter(name => name !== LEGACY_HOST_KEY) }
}
