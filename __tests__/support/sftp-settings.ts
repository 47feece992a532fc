import { createHostKeyPolicy } from '../../src/adapters/sftp/host-keys.js'
import type { ServerSettings } from '../../src/adapters/sftp/connect.js'
import { readPrivateKey } from '../../src/adapters/sftp/private-key.js'
import type { SftpServer } from './sftp-server.mjs'
import type { Sshd } from './sshd.js'

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  stallTimeoutMs: 10_000,
  keepaliveIntervalMs: 0,
  chunkSize: 'auto',
  legacyAlgorithms: false,
  agent: undefined,
  jump: undefined,
  dialogueOf: undefined
} as const

/** How to log in to the in-process server, as its default user. */
export function settingsFor(server: SftpServer, changes: Partial<ServerSettings> = {}): ServerSettings {
  const { host, port, knownHosts } = server
  const hostKeys = createHostKeyPolicy({ check: 'strict', knownHosts, fingerprints: [] }, { host, port })
  return {
    host,
    port,
    username: 'deploy',
    key: undefined,
    password: 'secret',
    hostKeys,
    ...DEFAULTS,
    ...changes
  }
}

/** How to log in to sshd. */
export function settingsForSshd(sshd: Sshd, changes: Partial<ServerSettings> = {}): ServerSettings {
  const { host, port, username, knownHosts, privateKey } = sshd
  const hostKeys = createHostKeyPolicy({ check: 'strict', knownHosts, fingerprints: [] }, { host, port })
  const key = readPrivateKey(privateKey, undefined)
  return { host, port, username, key, password: undefined, hostKeys, ...DEFAULTS, ...changes }
}
