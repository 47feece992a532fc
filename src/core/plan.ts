import { UploadError } from './errors.js'

/** A local file and the path that it gets on the server. */
export interface PlannedFile {
  /** Absolute local path. */
  readonly local: string
  /** Remote path, with `/` between its parts; relative to the login directory unless it begins with `/`. */
  readonly remote: string
  /** Bytes. */
  readonly size: number
}

/** A local file that the paths matched, and its place below `remote-path`. */
export interface MatchedFile {
  readonly local: string
  /** Parts of the path below `remote-path`, without `.` and `..`. */
  readonly place: readonly string[]
  /** Bytes. */
  readonly size: number
}

/**
 * Gives every matched file its path below `remotePath`, sorted by that path. A file that matched twice counts once.
 *
 * @throws UploadError `invalid-input` when two files have one remote path, or one is a directory of another.
 */
export function planUpload(matches: readonly MatchedFile[], remotePath: string): PlannedFile[] {
  const planned = new Map<string, PlannedFile>()
  for (const { local, place, size } of matches) {
    const remote = joinRemote(remotePath, place)
    const other = planned.get(remote)
    if (other !== undefined && other.local !== local) {
      throw new UploadError(
        'invalid-input',
        `paths: every file must have a remote path of its own; ${other.local} and ${local} both go to ${remote}`
      )
    }
    planned.set(remote, { local, remote, size })
  }
  for (const { local, remote } of planned.values()) {
    for (let directory = parentOf(remote); directory !== undefined; directory = parentOf(directory)) {
      const file = planned.get(directory)
      if (file !== undefined) {
        throw new UploadError(
          'invalid-input',
          `paths: ${file.local} goes to ${directory}, which must be a directory for ${local} (${remote})`
        )
      }
    }
  }
  return [...planned.values()].sort((a, b) => (a.remote < b.remote ? -1 : 1))
}

/** Bytes of all these files together. */
export function bytesOf(files: readonly PlannedFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

/** The directory above a remote path; `undefined` for one directly in the login directory or in `/`. */
export function parentOf(path: string): string | undefined {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : undefined
}

/** The directory that a remote path lies in; `.` is the login directory. */
export function directoryOf(path: string): string {
  return parentOf(path) ?? (path.startsWith('/') ? '/' : '.')
}

/** A path below `remotePath`, without what means nothing in it; empty: the login directory. */
export function joinRemote(remotePath: string, place: readonly string[]): string {
  const path = [remotePath, ...place].join('/')
  const absolute = path.startsWith('/')
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  return (absolute ? '/' : '') + parts.join('/')
}
