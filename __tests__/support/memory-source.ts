import type { ByteRange } from '../../src/core/blocks.js'
import { UploadError } from '../../src/core/errors.js'
import type { Digest } from '../../src/core/ledger.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { Source, SourceStream } from '../../src/engine/ports.js'
import { digestOf } from './memory-bytes.js'
import type { MemoryClock } from './memory-clock.js'

/** A local file; its bytes are replaced, never written to. */
export interface LocalFile {
  bytes: Buffer
  mtimeMs: number
  mode: number | undefined
  readonly inode: number
}

/** Local files in memory, which can change between and during attempts. */
export class MemoryDisk {
  /** Longest slice of a stream. */
  sliceLength = 512 * 1024
  /** How long confirming, and hashing each MiB take. */
  confirmMs = 0
  digestMs = 0
  /** Reading the file fails from then on. */
  isUnreadable: (local: string) => boolean = () => false
  /** Called before each slice, to change the file meanwhile. */
  onSlice: (local: string, offset: number) => void = () => undefined
  readonly files = new Map<string, LocalFile>()
  /** Everything that each file ever held. */
  readonly versions = new Map<string, Buffer[]>()
  /** Sources that are open. */
  open = 0
  private inodes = 1

  constructor(readonly clock: MemoryClock) {}

  /** Puts a new file at the path, as a build does. */
  put(
    local: string,
    bytes: Buffer,
    { mtimeMs = this.clock.now(), mode = 0o644 }: Partial<LocalFile> = {}
  ): void {
    this.files.set(local, { bytes, mtimeMs, mode, inode: this.inodes++ })
    this.note(local, bytes)
  }

  /** Writes into the file that is there; whoever has it open sees that. */
  write(local: string, bytes: Buffer, mtimeMs = this.clock.now()): void {
    Object.assign(this.at(local), { bytes, mtimeMs })
    this.note(local, bytes)
  }

  at(local: string): LocalFile {
    const file = this.files.get(local)
    if (file === undefined) throw new UploadError('source-changed', `read ${local}: it is gone`)
    return file
  }

  readonly openSource = async (planned: PlannedFile): Promise<Source> => {
    await Promise.resolve()
    if (this.isUnreadable(planned.local)) throw unreadable(planned.local)
    const file = this.at(planned.local)
    if (file.bytes.length !== planned.size) {
      throw new UploadError('source-changed', `read ${planned.local}: its size changed`)
    }
    this.open++
    return new MemorySource(this, planned.local, file)
  }

  wait(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.clock.after(milliseconds, resolve))
  }

  private note(local: string, bytes: Buffer): void {
    this.versions.set(local, [...(this.versions.get(local) ?? []), bytes])
  }
}

class MemorySource implements Source {
  readonly size: number
  readonly mtimeMs: number
  readonly version: string
  readonly mode: number | undefined
  private closed = false
  private whole: Promise<Digest> | undefined

  constructor(
    private readonly disk: MemoryDisk,
    private readonly local: string,
    private readonly file: LocalFile
  ) {
    this.size = file.bytes.length
    this.mtimeMs = file.mtimeMs
    this.version = `${file.inode}:${file.bytes.length}:${file.mtimeMs}`
    this.mode = file.mode
  }

  stream({ offset, length }: ByteRange): SourceStream {
    let settle: (digest: Digest) => void
    const digest = new Promise<Digest>(resolve => (settle = resolve))
    const { disk, local, file } = this
    const check = (range: ByteRange) => this.piece(range)
    const slices = async function* () {
      // A slice is valid until the next one is asked for: the memory is used again.
      const slot = Buffer.alloc(Math.min(disk.sliceLength, length))
      const whole = file.bytes
      const pieces: Buffer[] = []
      for (let at = 0; at < length; at += disk.sliceLength) {
        await Promise.resolve()
        disk.onSlice(local, offset + at)
        const bytes = check({ offset: offset + at, length: Math.min(disk.sliceLength, length - at) })
        pieces.push(bytes)
        bytes.copy(slot)
        if (at + bytes.length === length) {
          const unchanged = file.bytes === whole
          settle(digestOf(unchanged ? whole.subarray(offset, offset + length) : Buffer.concat(pieces)))
        }
        yield slot.subarray(0, bytes.length)
        slot.fill(0xee)
      }
    }
    return { slices: slices(), digest: () => digest }
  }

  wholeDigest(): Promise<Digest> {
    this.whole ??= this.digest({ offset: 0, length: this.size })
    return this.whole
  }

  async digest(range: ByteRange): Promise<Digest> {
    const mebibytes = Math.ceil(range.length / (1024 * 1024))
    if (this.disk.digestMs > 0) await this.disk.wait(this.disk.digestMs * mebibytes)
    return digestOf(this.piece(range))
  }

  async read(range: ByteRange): Promise<Uint8Array> {
    await Promise.resolve()
    return this.piece(range)
  }

  async confirmUnchanged(): Promise<void> {
    if (this.disk.confirmMs > 0) await this.disk.wait(this.disk.confirmMs)
    const now = this.disk.files.get(this.local)
    if (now === this.file && now.bytes.length === this.size && now.mtimeMs === this.mtimeMs) return
    throw new UploadError('source-changed', `${this.local} changed while it was being sent`)
  }

  close(): Promise<void> {
    if (this.closed) throw new Error(`${this.local} was closed twice`)
    this.closed = true
    this.disk.open--
    return Promise.resolve()
  }

  private piece({ offset, length }: ByteRange): Buffer {
    if (this.closed) throw new UploadError('source-unreadable', `read ${this.local}: it is closed`)
    if (this.disk.isUnreadable(this.local)) throw unreadable(this.local)
    const { bytes } = this.file
    if (bytes.length < offset + length) {
      throw new UploadError('source-changed', `${this.local} became shorter while it was being sent`)
    }
    return bytes.subarray(offset, offset + length)
  }
}

function unreadable(local: string): UploadError {
  return new UploadError('source-unreadable', `read ${local}: EIO`)
}
