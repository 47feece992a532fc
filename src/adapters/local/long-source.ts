import { open, type FileHandle } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import { splitRange, type ByteRange } from '../../core/blocks.js'
import { type Digest, NOT_HASHED } from '../../core/ledger.js'
import type { PlannedFile } from '../../core/plan.js'
import type { Source, SourceStream } from '../../engine/ports.js'
import { OPEN_FLAGS, OpenedFile, openError } from './opened-file.js'
import { SLOT_LENGTH, type ReaderPool, type ReadPiece } from './reader-pool.js'

const HASHED_AT_ONCE = 4 * 1024 * 1024

/** Opens a file that worker threads read, piece by piece. @throws UploadError `source-unreadable`, `source-changed`. */
export async function openLongSource(file: PlannedFile, readers: ReaderPool): Promise<Source> {
  try {
    const handle = await open(file.local, OPEN_FLAGS)
    try {
      return new LongSource(file, await handle.stat({ bigint: true }), handle, readers)
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (error) {
    throw openError(error, file)
  }
}

class LongSource extends OpenedFile implements Source {
  private whole: Promise<Digest> | undefined
  private closed = false

  constructor(
    file: PlannedFile,
    opened: BigIntStats,
    private readonly handle: FileHandle,
    private readonly readers: ReaderPool
  ) {
    super(file, opened)
  }

  stream(range: ByteRange): SourceStream {
    let settle: (digest: Digest) => void = () => undefined
    const digest = new Promise<Digest>(resolve => (settle = resolve))
    const { handle, readers } = this
    const read = readers.openStream()
    // Of a file of one block it is the digest of the file, which is told.
    const hashed = readers.hashesBlocks || range.length === this.size
    if (!hashed) settle(NOT_HASHED)
    const tooShort = () => this.tooShort()
    const unreadable = (error: unknown) => this.unreadable(error)

    const slices = async function* () {
      const pieces = splitRange(range, SLOT_LENGTH)
      const last = pieces.at(-1)
      const load = async (piece: ByteRange | undefined) => {
        if (piece === undefined) return undefined
        const at = await readers.takeSlot()
        const { offset: position, length } = piece
        try {
          const answer = await read({ fd: handle.fd, position, length, at, hashed, last: piece === last })
          return { at, length, answer }
        } catch (error) {
          readers.releaseSlot(at)
          throw unreadable(error)
        }
      }
      let following = load(pieces.shift())
      try {
        for (let slice = await following; slice !== undefined; slice = await following) {
          following = load(pieces.shift())
          const { at, length, answer } = slice
          try {
            if (answer.error !== undefined) throw unreadable(answer.error)
            if (answer.bytesRead < length) throw tooShort()
            if (answer.digest !== undefined) settle(answer.digest)
            yield readers.bytes(at, length)
          } finally {
            readers.releaseSlot(at)
          }
        }
      } finally {
        const unused = await following.catch(() => undefined)
        if (unused !== undefined) readers.releaseSlot(unused.at)
      }
    }
    return { slices: slices(), digest: () => digest }
  }

  digest(range: ByteRange): Promise<Digest> {
    return this.hash(range, this.readers.openDigest())
  }

  wholeDigest(): Promise<Digest> {
    this.whole ??= this.hash({ offset: 0, length: this.size }, this.readers.openLongDigest())
    return this.whole
  }

  async read({ offset, length }: ByteRange): Promise<Uint8Array> {
    let read: { bytesRead: number; buffer: Buffer }
    try {
      read = await this.handle.read(Buffer.allocUnsafe(length), 0, length, offset)
    } catch (error) {
      throw this.unreadable(error)
    }
    if (read.bytesRead < length) throw this.tooShort()
    return read.buffer
  }

  close(): Promise<void> {
    this.closed = true
    return this.handle.close()
  }

  /** One piece is read ahead: others who need the same worker wait for two at most. */
  private async hash(range: ByteRange, read: ReadPiece): Promise<Digest> {
    const pieces = range.length === 0 ? [range] : splitRange(range, HASHED_AT_ONCE)
    const last = pieces.at(-1)
    const load = async (piece: ByteRange | undefined) => {
      if (piece === undefined || this.closed) return undefined
      const { offset: position, length } = piece
      const asked = {
        fd: this.handle.fd,
        position,
        length,
        at: undefined,
        hashed: true,
        last: piece === last
      }
      return read(asked).catch((error: unknown) => {
        throw this.unreadable(error)
      })
    }
    let total = 0
    let digest: Digest | undefined
    let following = load(pieces.shift())
    try {
      for (let answer = await following; answer !== undefined; answer = await following) {
        following = load(pieces.shift())
        if (answer.error !== undefined) throw this.unreadable(answer.error)
        total += answer.bytesRead
        digest = answer.digest
      }
    } finally {
      await following.catch(() => undefined)
    }
    if (digest === undefined || total < range.length) throw this.tooShort()
    return digest
  }
}
