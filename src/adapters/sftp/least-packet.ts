import type { Client } from 'ssh2'

/** Servers have to take 32,768 bytes (RFC 4253, section 6.1). */
const LEAST_PACKET = 1024

interface Confirmation {
  readonly packetSize: number
}

/** What ssh2 keeps to itself: what it does when the server has opened a channel (lib/client.js). */
interface Internals {
  readonly _protocol?: {
    readonly _handlers: { CHANNEL_OPEN_CONFIRMATION: (protocol: unknown, info: Confirmation) => void }
  }
}

/**
 * Ends a connection whose server takes next to nothing in one packet: ssh2 would write packets for ever where that is
 * 0 bytes, and a packet for each byte where it is 1.
 */
export function refuseTinyPackets(client: Client): void {
  const handlers = (client as unknown as Internals)._protocol?._handlers
  if (handlers === undefined) return
  const confirm = handlers.CHANNEL_OPEN_CONFIRMATION
  handlers.CHANNEL_OPEN_CONFIRMATION = (protocol, info) => {
    if (info.packetSize >= LEAST_PACKET) {
      confirm(protocol, info)
      return
    }
    const least = `must take packets of at least ${LEAST_PACKET} bytes`
    const error = new Error(`the server ${least}, and takes ${info.packetSize}`)
    client.emit('error', Object.assign(error, { level: 'protocol' }))
    client.destroy()
  }
}
