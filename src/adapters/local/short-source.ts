import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs'
import type { ByteRange } from '../../core/blocks.js'
import type { Digest } from '../../core/ledger.js'
import type { PlannedFile } from '../../core/plan.js'
import type { Source, SourceStream } from '../../engine/ports.js'
import { OPEN_FLAGS, OpenedFile, openError } from './opened-file.js'

/**
 * Reads a short file into memory, on this thread: having others open, read and close it takes several times as long.
 *
 * @throws UploadError `source-unreadable`, `source-changed`.
 */
export function openShortSource(file: PlannedFile): Source {
  try {
    const descriptor = openSync(file.local, OPEN_FLAGS)
    try {
      return new ShortSource(file, fstatSync(descriptor, { bigint: true }), descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw openError(error, file)
  }
}

class ShortSource extends OpenedFile implements Source {
  private readonly bytes: Buffer

  /** The descriptor is read now, and not needed later. */
  constructor(file: PlannedFile, opened: BigIntStats, descriptor: number) {
    super(file, opened)
    this.bytes = Buffer.allocUnsafe(this.size)
    let filled = 0
    while (filled < this.size) {
      const count = readSync(descriptor, this.bytes, filled, this.size - filled, filled)
      if (count === 0) throw this.tooShort()
      filled += count
    }
  }

  stream(range: ByteRange): SourceStream {
    const slice = this.slice(range)
    return { slices: [slice], digest: () => sha256(slice) }
  }

  digest(range: ByteRange): Promise<Digest> {
    return sha256(this.slice(range))
  }

  wholeDigest(): Promise<Digest> {
    return sha256(this.bytes)
  }

  read(range: ByteRange): Promise<Uint8Array> {
    return Promise.resolve(this.slice(range))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  private slice({ offset, length }: ByteRange): Buffer {
    return this.bytes.subarray(offset, offset + length)
  }
}

function sha256(bytes: Uint8Array): Promise<Digest> {
  return Promise.resolve(createHash('sha256').update(bytes).digest('base64'))
}
