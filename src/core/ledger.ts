import { blockCount, blockRange } from './blocks.js'

/** A SHA-256 in base64. */
export type Digest = string

/** How many of the latest acknowledgements a ledger remembers in order. */
const RECENT = 128

/**
 * What the server acknowledged of one part file: for each block nothing, or the SHA-256 of the bytes that were
 * sent. It never claims more than the server said.
 */
export class Ledger {
  private readonly digests = new Map<number, Digest>()
  private latest: number[] = []
  private bytes = 0

  constructor(readonly fileSize: number) {}

  /** Records that every byte of the block was acknowledged. `digest` is that of the bytes that were sent. */
  acknowledge(index: number, digest: Digest): void {
    if (!Number.isInteger(index) || index < 0 || index >= blockCount(this.fileSize)) {
      throw new RangeError(`block ${index} of a file of ${blockCount(this.fileSize)} blocks`)
    }
    this.forget(index)
    this.digests.set(index, digest)
    this.latest = [...this.latest, index].slice(-RECENT)
    this.bytes += blockRange(this.fileSize, index).length
  }

  /** The block counts as not acknowledged from here on. */
  forget(index: number): void {
    if (!this.digests.delete(index)) return
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
    return this.digests.get(index)
  }

  /** Block indexes, ascending. */
  acknowledged(): number[] {
    return [...this.digests.keys()].sort((a, b) => a - b)
  }

  /** Block indexes, ascending. */
  missing(): number[] {
    return Array.from({ length: blockCount(this.fileSize) }, (_, index) => index).filter(
      index => !this.digests.has(index)
    )
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
    let end = 0
    for (const index of this.digests.keys()) {
      const { offset, length } = blockRange(this.fileSize, index)
      end = Math.max(end, offset + length)
    }
    return end
  }

  complete(): boolean {
    return this.bytes === this.fileSize
  }
}
