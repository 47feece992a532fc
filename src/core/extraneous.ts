import { folded } from './folded.js'
import { parentOf, type PlannedFile } from './plan.js'

/** What is at a path on the server, without following a symbolic link; `other` is also what it does not tell. */
export type RemoteKind = 'file' | 'directory' | 'symlink' | 'other'

/** Of a path below `remote-path`: it stays, it is on the way to a planned file, or it is no part of the upload. */
export type Standing = 'stays' | 'leads-to-files' | 'extraneous'

export interface Found {
  readonly path: string
  readonly kind: RemoteKind
  readonly standing: Standing
}

export interface Extraneous {
  /** Files and symbolic links. */
  readonly files: readonly string[]
  /** Those in which nothing stays; what is in a directory comes before it. */
  readonly directories: readonly string[]
}

/** Part files of this run and of others, the old file of a publication that was interrupted, and states. */
const OWN_NAME = /(?:\.part|\.part\.old|\.upload\.meta(?:\.[^/]*)?)$/

/** Node puts it where a name is not UTF-8: that path would name another file. */
const NOT_UTF8 = '\uFFFD'

/**
 * Tells how paths below `root` stand to the upload. Names that differ only in case or in the composition of letters
 * count as one, because to some servers they are. `leavesOut` gets the parts of the path below `root`.
 */
export function standingIn(
  files: readonly PlannedFile[],
  root: string,
  leavesOut: (place: readonly string[]) => boolean
): (path: string) => Standing {
  const planned = new Set(files.map(({ remote }) => folded(remote)))
  const directories = new Set(files.flatMap(({ remote }) => directoriesAbove(remote)).map(folded))
  return path => {
    if (planned.has(folded(path)) || OWN_NAME.test(path) || path.includes(NOT_UTF8)) return 'stays'
    if (directories.has(folded(path))) return 'leads-to-files'
    return leavesOut(path.slice(root.length + 1).split('/')) ? 'stays' : 'extraneous'
  }
}

/** What may go, of all that was found: a directory only when nothing stays in it. */
export function extraneousAmong(found: readonly Found[]): Extraneous {
  const goes = ({ kind, standing }: Found) => standing === 'extraneous' && kind !== 'other'
  const needed = new Set(found.filter(entry => !goes(entry)).flatMap(({ path }) => directoriesAbove(path)))
  const going = found.filter(goes).sort((a, b) => (a.path < b.path ? 1 : -1))
  return {
    files: going.flatMap(({ path, kind }) => (kind === 'directory' ? [] : [path])).reverse(),
    directories: going.flatMap(({ path, kind }) => (kind === 'directory' && !needed.has(path) ? [path] : []))
  }
}

function directoriesAbove(path: string): string[] {
  const parent = parentOf(path)
  return parent === undefined ? [] : [parent, ...directoriesAbove(parent)]
}
