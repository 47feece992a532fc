import type { ByteRange } from '../core/blocks.js'
import { isTransient } from '../core/errors.js'
import { TooManyOpen } from './open-handles.js'
import type { PartFile } from './part-file.js'
import type { Remote, RemoteFile, Source } from './ports.js'
import { holdsSameBytes } from './same-bytes.js'

/** Opening a part file for a second writer destroyed, or may have destroyed, what the first had written. */
export class JoinSpoiledPart extends Error {
  override readonly name = 'JoinSpoiledPart'
}

export interface Joined {
  readonly handle: RemoteFile
  /**
   * Resolves when the opening is known to have changed nothing; until then nothing counts that was written through the
   * handle. Rejects with JoinSpoiledPart, or an UploadError when the session ended before.
   */
  readonly proven: Promise<void>
}

/**
 * Opens the part file once more, for another lane, and proves with a telling sample of what had been acknowledged before
 * that this changed nothing: some servers empty a file that is opened for writing, and say OK.
 *
 * @throws UploadError when the server refuses a second writer; the file is as it was.
 */
export async function joinPart(
  remote: Remote,
  part: PartFile,
  sample: ByteRange,
  source: Source
): Promise<Joined> {
  const { path } = part
  const reading = remote.openForReading(path)
  reading.catch(() => undefined)
  let handle: RemoteFile
  try {
    handle = await remote.reopen(path)
  } catch (error) {
    if (isTransient(error)) part.doubtful.push(sample)
    void reading.then(closeQuietly, () => undefined)
    throw error
  }
  const proven = prove(part, reading, sample, source)
  proven.catch(() => undefined)
  return { handle, proven }
}

async function prove(
  part: PartFile,
  reading: Promise<RemoteFile>,
  sample: ByteRange,
  source: Source
): Promise<void> {
  let same: boolean
  try {
    const reader = await reading
    same = await holdsSameBytes(reader, source, [sample]).finally(() => closeQuietly(reader))
  } catch (error) {
    if (!isTransient(error) && !(error instanceof TooManyOpen))
      throw new JoinSpoiledPart(part.path, { cause: error })
    part.doubtful.push(sample)
    throw error
  }
  if (!same) throw new JoinSpoiledPart(part.path)
}

function closeQuietly(file: RemoteFile): void {
  file.close().catch(() => undefined)
}
