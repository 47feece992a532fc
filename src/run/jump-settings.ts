import type { JumpHost } from './parse-jump-host.js'
import type { HopSettings } from './settings.js'

/** What the inputs say of a jump host. */
export interface JumpInputs {
  readonly at: JumpHost | undefined
  readonly key: string | undefined
  readonly passphrase: string | undefined
  readonly password: string | undefined
  readonly knownHosts: string
  readonly fingerprints: readonly string[]
}

/**
 * The hop before the server. What it does not have of its own is that of the server: the login as a whole, so that the
 * server's password is not shown to a jump host that has a key of its own, and the pinned keys as a whole.
 */
export function jumpSettings(inputs: JumpInputs, server: HopSettings): HopSettings | undefined {
  const { at, key, passphrase, password, knownHosts, fingerprints } = inputs
  if (at === undefined) return undefined
  const hasLogin = key !== undefined || password !== undefined
  const hasPins = knownHosts.trim() !== '' || fingerprints.length > 0
  const { check } = server.hostKeys
  return {
    ...(hasLogin ? { key, password, agent: undefined } : server),
    passphrase: passphrase ?? server.passphrase,
    host: at.host,
    port: at.port,
    username: at.username ?? server.username,
    hostKeys: hasPins ? { check, knownHosts, fingerprints } : server.hostKeys
  }
}
