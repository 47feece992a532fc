import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import { splitRange, type ByteRange } from '../../core/blocks.js'
import { toUploadError, UploadError } from '../../core/errors.js'
import type { Digest } from '../../core/ledger.js'
import type { PlannedFile } from '../../core/plan.js'
import { formatCount } from '../../core/quantities.js'
import type { Source, SourceStream } from '../../engine/ports.js'
import { SLOT_LENGTH, type ReaderPool, type ReadPiece } from './reader-pool.js'

/** Bytes of a range that this thread reads and hashes faster itself than it can ask a worker to. */
const SHORT = 64 * 1024
const HASHED_AT_ONCE = 4 * 1024 * 1024
/** Opening a FIFO would wait for a writer otherwise; for a regular file it means nothing. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK

/** Opens a local file for the time of its upload. @throws UploadError `source-unreadable`, `source-changed`. */
export async function openLocalSource(file: PlannedFile, readers: ReaderPool): Promise<Source> {
  const doing = `read ${file.local}`
  try {
    const handle = await open(file.local, READ)
    try {
      const opened = await handle.stat({ bigint: true })
      if (!opened.isFile())
        throw new UploadError('source-changed', `${doing}: it is no regular file any more`)
      if (Number(opened.size) !== file.size) {
        const sizes = `it had ${formatCount(file.size, 'byte')} and has ${formatCount(Number(opened.size), 'byte')}`
        throw new UploadError('source-changed', `${doing}: ${sizes}`)
      }
      return new LocalSource(file.local, handle, opened, readers)
    } catch (error) {
      await handle.close()
      throw error
    }
  } catch (error) {
    throw toUploadError(error, isMissing(error) ? 'source-changed' : 'source-unreadable', doing)
  }
}

class LocalSource implements Source {
  readonly size: number
  readonly mtimeMs: number
  readonly version: string
  readonly mode: number | undefined
  private whole: Promise<Digest> | undefined
  private closed = false

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly opened: BigIntStats,
    private readonly readers: ReaderPool
  ) {
    this.size = Number(opened.size)
    this.mtimeMs = Number(opened.mtimeNs) / 1e6
    this.version = [opened.dev, opened.ino, opened.size, opened.mtimeNs].join(':')
    this.mode = process.platform === 'win32' ? undefined : Number(opened.mode & 0o7777n)
  }

  stream(range: ByteRange): SourceStream {
    return range.length <= SHORT ? this.shortStream(range) : this.longStream(range)
  }

  private shortStream(range: ByteRange): SourceStream {
    const reading = this.read(range)
    reading.catch(() => undefined)
    const slices = async function* () {
      yield await reading
    }
    const digest = async () =>
      createHash('sha256')
        .update(await reading)
        .digest('base64')
    return { slices: slices(), digest }
  }

  private longStream(range: ByteRange): SourceStream {
    let settle: (digest: Digest) => void
    const digest = new Promise<Digest>(resolve => (settle = resolve))
    const { handle, readers } = this
    const read = readers.openStream()
    const tooShort = () => this.tooShort()
    const unreadable = (reason: string) => this.unreadable(reason)

    const slices = async function* () {
      const pieces = splitRange(range, SLOT_LENGTH)
      const last = pieces.at(-1)
      const load = async (piece: ByteRange | undefined) => {
        if (piece === undefined) return undefined
        const at = await readers.takeSlot()
        const { offset: position, length } = piece
        const answer = await read({ fd: handle.fd, position, length, at, last: piece === last })
        return { at, length, answer }
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
      throw toUploadError(error, 'source-unreadable', `read ${this.path}`)
    }
    if (read.bytesRead < length) throw this.tooShort()
    return read.buffer
  }

  async confirmUnchanged(): Promise<void> {
    const now = await stat(this.path, { bigint: true }).catch(() => undefined)
    const { dev, ino, size, mtimeNs } = this.opened
    if (now?.size === size && now.mtimeNs === mtimeNs && now.ino === ino && now.dev === dev) return
    const what =
      now === undefined
        ? 'it is gone'
        : now.size === size
          ? 'it was written to or replaced'
          : `it had ${formatCount(Number(size), 'byte')} and has ${formatCount(Number(now.size), 'byte')}`
    throw new UploadError('source-changed', `${this.path} changed while it was being sent: ${what}`)
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
      return read({ fd: this.handle.fd, position, length, at: undefined, last: piece === last })
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

  private unreadable(reason: string): UploadError {
    return new UploadError('source-unreadable', `read ${this.path}: ${reason}`)
  }

  private tooShort(): UploadError {
    return new UploadError('source-changed', `${this.path} became shorter while it was being sent`)
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT'
}
