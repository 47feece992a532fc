import { keyedName, type StateKeys } from '../core/seal.js'
import type { Settings } from './settings.js'

/** `user@host:port`, which all names in the state are bound to; behind a jump host the same name may be another server. */
export function serverName({ jump, ...server }: Settings['server']): string {
  return [server, ...(jump === undefined ? [] : [jump])]
    .map(({ username, host, port }) => `${username}@${host}:${port}`)
    .join(' through ')
}

/** The same for every run of the same step, and for no other target, login, selection or `state-key`. */
export function stepName(
  { server, target, selection: { shard }, state }: Settings,
  keys: StateKeys,
  paths: readonly string[]
): string {
  // A share keeps what it has of its state when the count of shards changes.
  const purpose = shard === undefined ? 'step' : `step, shard ${shard.index}`
  return keyedName(keys, purpose, serverName(server), target.remotePath, state.key, ...paths)
}
