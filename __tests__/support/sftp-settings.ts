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

/** How to log in to the in-process server as its default user, at its own port or that of a link to it. */
export function settingsFor(server: SftpServer, changes: Partial<ServerSettings> = {}): ServerSettings {
  return { ...placeOf(server, changes), username: 'deploy', key: undefined, password: 'secret', ...changes }
}

/** How to log in to sshd, at its own port or that of a link to it. */
export function settingsForSshd(sshd: Sshd, changes: Partial<ServerSettings> = {}): ServerSettings {
  const key = readPrivateKey(sshd.privateKey, undefined)
  return { ...placeOf(sshd, changes), username: sshd.username, key, password: undefined, ...changes }
}

/** The defaults, and where the server is, with its key pinned there. */
function placeOf(server: SftpServer | Sshd, { port = server.port }: Partial<ServerSettings>) {
  const { host } = server
  const pinned = { check: 'strict', knownHosts: server.formatKnownHosts(port), fingerprints: [] } as const
  return { ...DEFAULTS, host, port, hostKeys: createHostKeyPolicy(pinned, { host, port }) }
}
