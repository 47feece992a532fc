import { inHexadecimal } from '../core/ledger.js'
import type { FileResult } from '../core/report.js'

/** A file in a list for other programs. */
export interface FileEntry {
  readonly local: string
  readonly remote: string
  /** Bytes, as are the others. */
  readonly size: number
  readonly status: FileResult['status']
  readonly sentBytes: number
  readonly reusedBytes: number
  /** In hexadecimal, where it is known. */
  readonly sha256: string | undefined
}

/** What became of one file, as other programs read it. */
export function fileEntry({ file, status, sentBytes, reusedBytes, digest }: FileResult): FileEntry {
  const { local, remote, size } = file
  const sha256 = digest === undefined ? undefined : inHexadecimal(digest)
  return { local, remote, size, status, sentBytes, reusedBytes, sha256 }
}
