import type { RemoteKind } from '../../core/extraneous.js'
import type { RemoteStat } from '../../core/resume.js'

const FILE_TYPE = 0o170000
const DIRECTORY = 0o040000
const REGULAR = 0o100000
const SYMLINK = 0o120000

/** Of the attributes that a server gives; what it leaves out counts as 0. */
export function toRemoteStat(attributes: { size?: number; mtime?: number; mode?: number }): RemoteStat {
  const mode = attributes.mode ?? 0
  return {
    size: attributes.size ?? 0,
    mtime: attributes.mtime ?? 0,
    mode,
    isDirectory: (mode & FILE_TYPE) === DIRECTORY
  }
}

/** By the mode that a server gives; without one nothing is known. */
export function toRemoteKind(mode = 0): RemoteKind {
  switch (mode & FILE_TYPE) {
    case REGULAR:
      return 'file'
    case DIRECTORY:
      return 'directory'
    case SYMLINK:
      return 'symlink'
    default:
      return 'other'
  }
}
