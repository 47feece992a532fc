import { UploadError } from './errors.js'
import { inHexadecimal } from './ledger.js'
import { joinRemote, parentOf, type PlannedFile } from './plan.js'
import type { FileResult } from './report.js'

const DIGEST_LENGTH = 64

/**
 * Plans the file of checksums, whose size is known before the digests are: `place` is its path below `remotePath`,
 * `local` where it will be written.
 *
 * @throws UploadError `invalid-input` when the path is that of another file, or in its way.
 */
export function planChecksumFile(
  files: readonly PlannedFile[],
  { remotePath, place, local }: { remotePath: string; place: string; local: string }
): PlannedFile {
  const remote = joinRemote(remotePath, [place])
  const above = new Set<string>()
  for (let path = parentOf(remote); path !== undefined; path = parentOf(path)) above.add(path)
  const other = files.find(
    file => file.remote === remote || above.has(file.remote) || file.remote.startsWith(`${remote}/`)
  )
  if (other !== undefined) {
    throw new UploadError(
      'invalid-input',
      `checksum-file: must be a path that no other file needs; ${other.local} goes to ${other.remote}`
    )
  }
  const size = files.reduce(
    (sum, file) => sum + Buffer.byteLength(formatLine('0'.repeat(DIGEST_LENGTH), nameOf(file, remotePath))),
    0
  )
  return { local, remote, size }
}

/**
 * The lines of `sha256sum` for files that are in place, named relative to `remotePath`: `sha256sum -c` run there
 * checks them.
 *
 * @throws UploadError `not-verified` when the digest of one is not known.
 */
export function* checksumLines(results: Iterable<FileResult>, remotePath: string): Generator<string> {
  for (const { file, digest } of results) {
    if (digest === undefined)
      throw new UploadError('not-verified', `write the checksums: that of ${file.remote} is not known`)
    yield formatLine(inHexadecimal(digest), nameOf(file, remotePath))
  }
}

/** As coreutils do: a name with a backslash or a line break is escaped, and a backslash before the digest says so. */
function formatLine(sha256: string, name: string): string {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `${escaped === name ? '' : '\\'}${sha256}  ${escaped}\n`
}

function nameOf({ remote }: PlannedFile, remotePath: string): string {
  const directory = joinRemote(remotePath, [])
  if (directory === '') return remote
  return remote.slice(directory === '/' ? 1 : directory.length + 1)
}
