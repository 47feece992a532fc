import type { Client } from 'ssh2'

type OnData = (protocol: unknown, channel: number, data: Buffer) => void

/** What ssh2 keeps to itself: its channels, and what it does with data that comes over one (lib/client.js). */
interface Internals {
  readonly _protocol?: { readonly _handlers: { CHANNEL_DATA: OnData } }
  readonly _chanMgr?: { get(channel: number): unknown }
}

/**
 * Drops what still comes over a channel that this side has closed. ssh2 closes the channel of a server that breaks the
 * rules of SFTP, but goes on reading: for a packet that it refused for its length it would then take that much memory,
 * up to 2 GiB (lib/protocol/SFTP.js, push).
 */
export function dropAfterClose(client: Client): void {
  const internals = client as unknown as Internals
  const handlers = internals._protocol?._handlers
  if (handlers === undefined) return
  const receive = handlers.CHANNEL_DATA
  handlers.CHANNEL_DATA = (protocol, channel, data) => {
    if (!isClosed(internals._chanMgr?.get(channel))) receive(protocol, channel, data)
  }
}

function isClosed(channel: unknown): boolean {
  const { outgoing } = (channel ?? {}) as { readonly outgoing?: { readonly state?: string } }
  return outgoing?.state === 'closing' || outgoing?.state === 'closed'
}
