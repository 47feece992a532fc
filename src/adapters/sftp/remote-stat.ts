import { UploadError } from '../../core/errors.js'
import type { RemoteKind } from '../../core/extraneous.js'
import type { RemoteStat } from '../../core/resume.js'

const FILE_TYPE = 0o170000
const DIRECTORY = 0o040000
const REGULAR = 0o100000
const SYMLINK = 0o120000

interface Attributes {
  readonly size?: number
  readonly mtime?: number
  readonly mode?: number
}

/** Of the attributes that a server gives; what it leaves out counts as 0. @throws UploadError `protocol` for another answer. */
export function toRemoteStat(answer: unknown, doing: string): RemoteStat {
  // ssh2 hands over whatever the server answers, an OK without anything included.
  if (!isAttributes(answer))
    throw new UploadError('protocol', `${doing}: the server answers without attributes`)
  const { size = 0, mtime = 0, mode = 0 } = answer
  return { size, mtime, mode, isDirectory: (mode & FILE_TYPE) === DIRECTORY }
}

function isAttributes(answer: unknown): answer is Attributes {
  return typeof answer === 'object' && answer !== null && 'mtime' in answer
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
