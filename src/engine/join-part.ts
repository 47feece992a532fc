import { blockRange } from '../core/blocks.js'
import { isTransient, UploadError } from '../core/errors.js'
import type { Ledger } from '../core/ledger.js'
import type { PartFile } from './part-file.js'
import type { Remote, RemoteFile, Source } from './ports.js'
import { holdsSameBytes } from './same-bytes.js'

const SAMPLE = 64 * 1024

/** Opening a part file for a second writer destroyed, or may have destroyed, what the first had written. */
export class JoinSpoiledPart extends Error {
  override readonly name = 'JoinSpoiledPart'
}

/**
 * Opens the part file once more, for another lane, and proves with the latest acknowledged block that this changed
 * nothing: some servers empty a file that is opened for writing, and say OK.
 *
 * @throws UploadError when the server refuses a second writer, or to read; the file is as it was.
 * @throws JoinSpoiledPart
 */
export async function joinPart(
  remote: Remote,
  part: PartFile,
  ledger: Ledger,
  source: Source
): Promise<RemoteFile> {
  const { path } = part
  if (!(await part.canBeRead)) throw new UploadError('permission', `read ${path}: not permitted`)
  // Chosen before the opening: what is acknowledged afterwards says nothing of the harm.
  const { offset, length } = blockRange(ledger.fileSize, ledger.recent().at(-1) ?? 0)
  const sample = { offset, length: Math.min(length, SAMPLE) }
  const [reading, writing] = await Promise.allSettled([remote.openForReading(path), remote.reopen(path)])
  const reader = reading.status === 'fulfilled' ? reading.value : undefined
  try {
    if (writing.status === 'rejected') {
      if (isTransient(writing.reason)) part.isDoubtful = true
      throw writing.reason
    }
    const same = reader !== undefined && (await holdsSameBytes(reader, source, [sample]).catch(() => false))
    if (same) return writing.value
    writing.value.close().catch(() => undefined)
    throw new JoinSpoiledPart(path)
  } finally {
    reader?.close().catch(() => undefined)
  }
}
