import type { Stats } from 'node:fs'
import { lstat, stat } from 'node:fs/promises'
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

/** Enough to keep the file system busy; more would only queue up in libuv's thread pool. */
const CONCURRENCY = 64

/**
 * Looks at every path; directories are passed over.
 *
 * @throws UploadError `source-unreadable`
 */
export async function sortPaths(paths: readonly string[], followSymlinks: boolean): Promise<SortedPaths> {
  const stats = await statAll(paths, followSymlinks ? stat : lstat)
  const sizes = new Map<string, number>()
  const symlinks: string[] = []
  const special: string[] = []
  for (const path of paths) {
    const found = stats.get(path)
    if (found === undefined || found.isDirectory()) continue
    if (found.isFile()) sizes.set(path, found.size)
    else (found.isSymbolicLink() ? symlinks : special).push(path)
  }
  return { sizes, symlinks, special }
}

async function statAll(
  paths: readonly string[],
  look: (path: string) => Promise<Stats>
): Promise<ReadonlyMap<string, Stats>> {
  const stats = new Map<string, Stats>()
  const queue = paths.values()
  const work = async () => {
    for (const path of queue) {
      try {
        stats.set(path, await look(path))
      } catch (error) {
        throw toUploadError(error, 'source-unreadable', `look at ${JSON.stringify(path)}`)
      }
    }
  }
  const workers = Array.from({ length: CONCURRENCY }, work)
  try {
    await Promise.all(workers)
  } finally {
    await Promise.allSettled(workers)
  }
  return stats
}
