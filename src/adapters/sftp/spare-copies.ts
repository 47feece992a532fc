import type { SFTPWrapper } from 'ssh2'

type Write = SFTPWrapper['write']

/** What ssh2 keeps to itself of an SFTP session (lib/protocol/SFTP.js). */
interface Internals {
  readonly _protocol: { readonly channelData: (channel: number, bytes: Buffer) => void }
  readonly outgoing: {
    readonly id: number
    readonly packetSize: number
    readonly state: string
    /** Bytes that the server still takes. */
    window: number
  }
  /** What waits for an answer, by its id. */
  readonly _requests: Record<number, { readonly cb: Parameters<Write>[5] }>
  /** Of the last request. */
  _writeReqid: number
  readonly _maxWriteLen: number
  readonly _debug?: ((text: string) => void) | undefined
}

/** SSH_FXP_WRITE (draft-ietf-secsh-filexfer-02, section 6.4). */
const WRITE = 6
/** Length, type, id, length of the handle, position, length of the bytes. */
const HEAD = 4 + 1 + 4 + 4 + 8 + 4
/** Bytes from which sparing their copies pays; shorter writes share packets with what follows. */
const LONG = 16 * 1024

/**
 * Has long writes sent from where their bytes lie, if the server's window takes them at once; ssh2 copies them into a
 * request first. `flush` sends what `coalesceRequests` holds: the bytes can be used again when the call returns. Does
 * nothing where ssh2 looks different.
 */
export function spareCopies(sftp: SFTPWrapper, flush: () => void): void {
  const internals = sftp as unknown as Partial<Internals>
  if (!isKnown(internals)) return
  const { outgoing } = internals
  const writeCopy = sftp.write.bind(sftp)

  const write: Write = (handle, buffer, from, length, position, done) => {
    const whole = HEAD + handle.length + length
    const fits = whole <= outgoing.window && length <= internals._maxWriteLen
    if (length < LONG || !fits || outgoing.state !== 'open') {
      writeCopy(handle, buffer, from, length, position, done)
      return
    }
    const id = (internals._writeReqid + 1) >>> 0
    const head = headOf(id, handle, position, length)
    internals._writeReqid = id
    internals._requests[id] = { cb: done }
    internals._debug?.(`SFTP: Outbound: Sent WRITE (id:${id})`)
    outgoing.window -= whole
    const send = (bytes: Buffer) => internals._protocol.channelData(outgoing.id, bytes)
    send(head)
    const bytes = buffer.subarray(from, from + length)
    const { packetSize } = outgoing
    let end = packetSize - head.length
    send(bytes.subarray(0, end))
    for (; end < length; end += packetSize) send(bytes.subarray(end, end + packetSize))
    flush()
  }
  sftp.write = write
}

function isKnown(internals: Partial<Internals>): internals is Internals {
  const { _protocol, outgoing, _requests, _writeReqid, _maxWriteLen } = internals
  return [_protocol, outgoing, _requests, _writeReqid, _maxWriteLen].every(value => value !== undefined)
}

/** The request up to its bytes. */
function headOf(id: number, handle: Buffer, position: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD + handle.length)
  let at = head.writeUInt32BE(head.length - 4 + length)
  at = head.writeUInt8(WRITE, at)
  at = head.writeUInt32BE(id, at)
  at = head.writeUInt32BE(handle.length, at)
  at += handle.copy(head, at)
  at = head.writeBigUInt64BE(BigInt(position), at)
  head.writeUInt32BE(length, at)
  return head
}
