import { createCipheriv, randomFillSync, type CipherGCMTypes, type CipherKey } from 'node:crypto'

/** What ssh2 keeps to itself of a connection (lib/protocol/Protocol.js). */
export interface Protocol {
  readonly channelData: (channel: number, bytes: Buffer) => void
  /** A key exchange is under way: data waits until it is over. */
  readonly _kexinit?: Buffer | undefined
  readonly _cipher?: GcmCipher | object
  /** What makes packets: with compression it leaves no room for what precedes the payload (zlib.js). */
  readonly _packetRW?: { readonly write: { readonly allocStart: number } }
  readonly _debug?: ((text: string) => void) | undefined
}

/** Its cipher, if that is AES-GCM (lib/protocol/crypto.js, AESGCMCipherNative). */
interface GcmCipher {
  readonly _encSSLName: CipherGCMTypes
  readonly _encKey: CipherKey
  /** Of the next packet. */
  readonly _encIV: Buffer
  readonly _onWrite: (bytes: Buffer) => void
  readonly _dead: boolean
  outSeqno: number
}

/** SSH_MSG_CHANNEL_DATA (RFC 4254, section 5.2). */
const CHANNEL_DATA = 94
/** Bytes before the payload: packet length, padding length. */
const BEFORE_PAYLOAD = 4 + 1
/** Padding length, message, channel, length of the data. */
const HEAD = 1 + 1 + 4 + 4
/** RFC 4253, section 6. */
const LEAST_PADDING = 4
const BLOCK = 16
/** Bytes from which it is faster to encipher a part where it lies than to copy it first. */
const LONG = 4096

/**
 * Sends the parts in one SSH packet; they can be used again when the call returns. With AES-GCM, without compression,
 * and not during a key exchange, long ones are enciphered where they lie, which ssh2 copies first, into a buffer of that
 * packet.
 */
export function sendChannelData(protocol: Protocol, channel: number, parts: readonly Buffer[]): void {
  const { _cipher: cipher, _kexinit: keyExchange, _packetRW: packets, _debug: debug } = protocol
  const isCompressed = packets?.write.allocStart !== BEFORE_PAYLOAD
  if (!isGcm(cipher) || isCompressed || keyExchange !== undefined) {
    const [first] = parts
    protocol.channelData(channel, parts.length === 1 && first !== undefined ? first : Buffer.concat(parts))
    return
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  debug?.(`Outbound: Sending CHANNEL_DATA (r:${channel}, ${length})`)
  const padding = randomPadding(HEAD + length)
  const head = Buffer.allocUnsafe(HEAD)
  head[0] = padding.length
  head[1] = CHANNEL_DATA
  head.writeUInt32BE(channel, 2)
  head.writeUInt32BE(length, 6)
  encipher(cipher, HEAD + length + padding.length, [head, ...parts, padding])
}

function isGcm(cipher: GcmCipher | object | undefined): cipher is GcmCipher {
  return (
    cipher !== undefined &&
    '_encSSLName' in cipher &&
    '_encIV' in cipher &&
    '_dead' in cipher &&
    !cipher._dead
  )
}

/** The packet of RFC 5647, section 7. */
function encipher(cipher: GcmCipher, length: number, parts: readonly Buffer[]): void {
  const packetLength = Buffer.allocUnsafe(4)
  packetLength.writeUInt32BE(length)
  const gcm = createCipheriv(cipher._encSSLName, cipher._encKey, cipher._encIV)
  gcm.setAAD(packetLength)
  const enciphered = joinShort(parts).map(part => gcm.update(part))
  gcm.final()
  for (const bytes of joinShort([packetLength, ...enciphered, gcm.getAuthTag()])) cipher._onWrite(bytes)
  // The invocation counter (section 7.1).
  cipher._encIV.writeBigUInt64BE(BigInt.asUintN(64, cipher._encIV.readBigUInt64BE(4) + 1n), 4)
  cipher.outSeqno = (cipher.outSeqno + 1) >>> 0
}

/** The same bytes, with the short parts between long ones as one. */
function joinShort(parts: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = []
  let short: Buffer[] = []
  const join = () => {
    if (short.length > 0) joined.push(Buffer.concat(short))
    short = []
  }
  for (const part of parts) {
    if (part.length < LONG) short.push(part)
    else {
      join()
      joined.push(part)
    }
  }
  join()
  return joined
}

/** Random bytes, drawn for many packets at once: for each of them that takes as long as enciphering 16 KiB. */
class RandomBytes {
  private readonly drawn = Buffer.allocUnsafe(4096)
  private left = 0

  /** Good until the next call. */
  take(length: number): Buffer {
    if (this.left < length) {
      randomFillSync(this.drawn)
      this.left = this.drawn.length
    }
    this.left -= length
    return this.drawn.subarray(this.left, this.left + length)
  }
}

const random = new RandomBytes()

function randomPadding(unpadded: number): Buffer {
  const length = BLOCK - (unpadded % BLOCK)
  return random.take(length < LEAST_PADDING ? length + BLOCK : length)
}
