import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { checksumLines, planChecksumFile } from '../core/checksums.js'
import type { PlannedFile } from '../core/plan.js'
import type { LastFile } from '../engine/last-file.js'
import { writeLines } from '../adapters/local/write-lines.js'
import type { Settings } from './settings.js'

/**
 * The list of checksums of these files, if the settings ask for one; it is written below `temp`.
 *
 * @throws UploadError `invalid-input` when one of the files is in its place.
 */
export function planChecksums(
  files: readonly PlannedFile[],
  { target: { remotePath, checksumFile: place } }: Settings,
  temp: string
): LastFile | undefined {
  if (place === undefined) return undefined
  const local = join(temp, 'resumable-sftp-upload', randomBytes(8).toString('hex'))
  return {
    file: planChecksumFile(files, { remotePath, place, local }),
    write: results => writeLines(local, checksumLines(results, remotePath))
  }
}
