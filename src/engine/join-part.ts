import { blockRange } from '../core/blocks.js'
import type { Ledger } from '../core/ledger.js'
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
 * @throws UploadError when the server refuses a reader or a second writer; the file is as it was.
 * @throws JoinSpoiledPart
 */
export async function joinPart(
  remote: Remote,
  path: string,
  ledger: Ledger,
  source: Source
): Promise<RemoteFile> {
  // First the reader: without one, the harm of a second writer could not be seen.
  const reader = await remote.openForReading(path)
  try {
    const handle = await remote.reopen(path)
    const { offset, length } = blockRange(ledger.fileSize, ledger.recent().at(-1) ?? 0)
    const sample = { offset, length: Math.min(length, SAMPLE) }
    const same = await holdsSameBytes(reader, source, [sample]).catch(() => false)
    if (!same) throw new JoinSpoiledPart(path)
    return handle
  } finally {
    reader.close().catch(() => undefined)
  }
}
