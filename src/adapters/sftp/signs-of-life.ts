import type { Client } from 'ssh2'

/**
 * What ssh2 keeps to itself: what it calls for every packet that comes (lib/protocol/Protocol.js), and what has its
 * keepalives begin anew (lib/client.js).
 */
interface Internals {
  readonly _protocol?: { _onPacket?: () => void }
  readonly _resetKA?: () => void
}

/**
 * Takes every packet that comes for a sign of life, to be called after the login. ssh2 takes only answers to its own
 * keepalives for one, and those wait behind all that is in flight: a slow line would count as dark. Does nothing without
 * keepalives, and where ssh2 looks different.
 */
export function heedSignsOfLife(client: Client, keepaliveIntervalMs: number): void {
  const internals = client as unknown as Internals
  const { _protocol: protocol } = internals
  if (keepaliveIntervalMs === 0 || protocol?._onPacket === undefined) return
  let heededMs = performance.now()
  protocol._onPacket = () => {
    const nowMs = performance.now()
    // A timer for each packet would cost more than it tells.
    if (nowMs - heededMs < keepaliveIntervalMs / 2) return
    heededMs = nowMs
    internals._resetKA?.()
  }
}
