import type { RemoteStat } from '../../core/resume.js'

const FILE_TYPE = 0o170000
const DIRECTORY = 0o040000

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
