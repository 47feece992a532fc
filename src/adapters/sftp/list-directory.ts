import type { SFTPWrapper } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import { formatCount } from '../../core/quantities.js'
import type { RemoteEntry } from '../../engine/ports.js'
import type { Requests } from './requests.js'
import { isEndOfFile } from './status.js'

/** About what all entries of a directory may take in memory. */
const MOST_BYTES = 32 * 1024 * 1024
const BYTES_BESIDE_THE_NAME = 100

interface ListedEntry {
  readonly filename: string
  readonly attrs: { readonly mtime?: number }
}

/** ssh2's own filter of `.` and `..` stumbles over what is no list; its types leave out the way past it. */
interface FullListing {
  readdir(
    handle: Buffer,
    options: { full: true },
    done: (error: Error | undefined, listed: unknown) => void
  ): void
}

/**
 * Reads an open directory to its end.
 *
 * @throws UploadError `protocol` for an answer that is no list, and for a directory that does not end within 32 MiB.
 */
export async function listDirectory(
  sftp: SFTPWrapper,
  requests: Requests,
  handle: Buffer,
  doing: string
): Promise<RemoteEntry[]> {
  const entries: RemoteEntry[] = []
  let bytes = 0
  for (;;) {
    const listed = await requests.ask<unknown>(doing, answer => {
      const listing = sftp as unknown as FullListing
      listing.readdir(handle, { full: true }, (error, more) => {
        if (error && isEndOfFile(error)) answer(undefined, [])
        else answer(error, more)
      })
    })
    if (!isList(listed)) throw new UploadError('protocol', `${doing}: the server answers without a list`)
    if (listed.length === 0) return entries
    for (const { filename, attrs } of listed) {
      bytes += 2 * filename.length + BYTES_BESIDE_THE_NAME
      if (filename === '.' || filename === '..') continue
      // Some servers say 0 of everything.
      entries.push({ name: filename, mtime: attrs.mtime === 0 ? undefined : attrs.mtime })
    }
    if (bytes > MOST_BYTES) {
      throw new UploadError(
        'protocol',
        `${doing}: no end after ${formatCount(entries.length, 'entry', 'entries')}`
      )
    }
  }
}

/** ssh2 hands over whatever the server answers: an OK without anything, or a name that it could not read. */
function isList(answer: unknown): answer is readonly ListedEntry[] {
  return Array.isArray(answer) && answer.every(({ filename }: Partial<ListedEntry>) => filename !== undefined)
}
