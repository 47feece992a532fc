import type { SFTPWrapper } from 'ssh2'
import { sendChannelData, type Protocol } from './channel-data.js'

/** What ssh2 keeps to itself: where an SFTP session sends its requests (lib/protocol/SFTP.js, tryWritePayload). */
interface Internals {
  _protocol?: Protocol
  readonly outgoing?: { readonly packetSize: number }
}

/**
 * Sends all requests of one turn of the event loop in as few SSH packets as they fit in. ssh2 makes a packet for each,
 * and enciphering one takes longer than all else that a short request needs. SFTP is a stream of bytes: where a packet
 * ends means nothing (draft-ietf-secsh-filexfer-02, section 3). Returns what sends those that wait at once. Does nothing
 * where ssh2 looks different.
 */
export function coalesceRequests(sftp: SFTPWrapper): (() => void) | undefined {
  const internals = sftp as unknown as Internals
  const { _protocol: protocol, outgoing } = internals
  if (protocol?.channelData === undefined || outgoing === undefined) return undefined
  let waiting: Buffer[] = []
  let length = 0
  let channel = 0

  const flush = () => {
    if (length === 0) return
    const parts = waiting
    waiting = []
    length = 0
    sendChannelData(protocol, channel, parts)
  }
  const channelData = (to: number, bytes: Buffer) => {
    channel = to
    if (length + bytes.length > outgoing.packetSize) flush()
    if (waiting.length === 0) process.nextTick(flush)
    waiting.push(bytes)
    length += bytes.length
    if (length === outgoing.packetSize) flush()
  }
  internals._protocol = Object.create(protocol, { channelData: { value: channelData } }) as Protocol
  return flush
}
