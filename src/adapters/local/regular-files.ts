import { lstatSync, type Stats, statSync } from 'node:fs'
import { toUploadError } from '../../core/errors.js'

/** The regular files among some paths, and the others by what they are. */
export interface SortedPaths {
  /** Sizes in bytes by path, in the order given. */
  readonly sizes: ReadonlyMap<string, number>
  /** With `followSymlinks` off only. */
  readonly symlinks: readonly string[]
  /** Sockets, FIFOs and devices. */
  readonly special: readonly string[]
}

/**
 * Looks at every path, on this thread: the search has just done so, and the system still knows. Directories are passed
 * over.
 *
 * @throws UploadError `source-unreadable`
 */
export function sortPaths(paths: readonly string[], followSymlinks: boolean): SortedPaths {
  const look = followSymlinks ? statSync : lstatSync
  const sizes = new Map<string, number>()
  const symlinks: string[] = []
  const special: string[] = []
  for (const path of paths) {
    const found = lookAt(path, look)
    if (found.isDirectory()) continue
    if (found.isFile()) sizes.set(path, found.size)
    else (found.isSymbolicLink() ? symlinks : special).push(path)
  }
  return { sizes, symlinks, special }
}

function lookAt(path: string, look: (path: string) => Stats): Stats {
  try {
    return look(path)
  } catch (error) {
    throw toUploadError(error, 'source-unreadable', `look at ${JSON.stringify(path)}`)
  }
}
