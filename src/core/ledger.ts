import { blockCount, blockRange, type ByteRange, runsOf } from './blocks.js'

/** A SHA-256 in base64. */
export type Digest = string

/** Stands for the digest of bytes that were not hashed: no bytes have it, so nothing is ever proven by it. */
export const NOT_HASHED: Digest = ''

/** As `sha256sum` writes it. */
export function inHexadecimal(digest: Digest): string {
  return Buffer.from(digest, 'base64').toString('hex')
}

/** How many of the latest acknowledgements a ledger remembers in order. */
const RECENT = 128

/**
 * What the server acknowledged of one part file: for each block nothing, or the SHA-256 of the bytes that were
 * sent. It never claims more than the server said.
 */
export class Ledger {
  /** By block index. */
  private readonly digests: (Digest | undefined)[]
  private latest: number[] = []
  private bytes = 0

  constructor(readonly fileSize: number) {
    this.digests = new Array<Digest | undefined>(blockCount(fileSize)).fill(undefined)
  }

  /** Records that every byte of the block was acknowledged. `digest` is that of the bytes that were sent. */
  acknowledge(index: number, digest: Digest): void {
    if (!Number.isInteger(index) || index < 0 || index >= blockCount(this.fileSize)) {
      throw new RangeError(`block ${index} of a file of ${blockCount(this.fileSize)} blocks`)
    }
    this.forget(index)
    this.digests[index] = digest
    this.latest = [...this.latest, index].slice(-RECENT)
    this.bytes += blockRange(this.fileSize, index).length
  }

  /** The block counts as not acknowledged from here on. */
  forget(index: number): void {
    if (this.digests[index] === undefined) return
    this.digests[index] = undefined
    this.latest = this.latest.filter(other => other !== index)
    this.bytes -= blockRange(this.fileSize, index).length
  }

  /** Forgets the latest acknowledged blocks until they amount to this many bytes: some servers acknowledge a short write. */
  forgetRecent(bytes: number): void {
    for (let forgotten = 0; forgotten < bytes;) {
      const index = this.latest.at(-1)
      if (index === undefined) return
      forgotten += blockRange(this.fileSize, index).length
      this.forget(index)
    }
  }

  digestOf(index: number): Digest | undefined {
    return this.digests[index]
  }

  /** Block indexes, ascending. */
  acknowledged(): number[] {
    return this.digests.flatMap((digest, index) => (digest === undefined ? [] : [index]))
  }

  /** The bytes of the acknowledged blocks, ascending; those of neighbours as one range. */
  acknowledgedRanges(): ByteRange[] {
    return runsOf(this.acknowledged()).map(({ first, last }) => {
      const { offset } = blockRange(this.fileSize, first)
      const end = blockRange(this.fileSize, last)
      return { offset, length: end.offset + end.length - offset }
    })
  }

  /** Block indexes, ascending. */
  missing(): number[] {
    return this.digests.flatMap((digest, index) => (digest === undefined ? [index] : []))
  }

  /** The latest acknowledged blocks, oldest first; at most 128. */
  recent(): readonly number[] {
    return this.latest
  }

  /** Bytes in acknowledged blocks. */
  acknowledgedBytes(): number {
    return this.bytes
  }

  /** The offset behind the last acknowledged block, in bytes. */
  acknowledgedEnd(): number {
    const last = this.digests.findLastIndex(digest => digest !== undefined)
    if (last === -1) return 0
    const { offset, length } = blockRange(this.fileSize, last)
    return offset + length
  }

  complete(): boolean {
    return this.bytes === this.fileSize
  }
}
