import type { Dirent, Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isLeftOut, type SearchOptions } from './search.js'

/** What @actions/glob passes over in silence. */
export interface LeftOut {
  /** Names that begin with a dot; what is below such a directory is not listed. */
  readonly hidden: string[]
  /** Symbolic links to nothing. */
  readonly broken: string[]
}

/** Finds what a search of all of a directory leaves out; walks each directory that is asked about once. */
export function leftOutFinder(options: SearchOptions): (directory: string) => Promise<LeftOut> {
  const found = new Map<string, Promise<LeftOut>>()
  return directory => {
    const leftOut = found.get(directory) ?? findLeftOut(directory, options)
    found.set(directory, leftOut)
    return leftOut
  }
}

/** A directory behind symbolic links is entered once. */
async function findLeftOut(directory: string, options: SearchOptions): Promise<LeftOut> {
  const leftOut: LeftOut = { hidden: [], broken: [] }
  const directories = [directory]
  const entered = new Set<string>()
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    for (const entry of await entriesOf(next)) {
      const path = join(next, entry.name)
      if (isLeftOut(entry.name, options)) {
        leftOut.hidden.push(path)
      } else if (entry.isSymbolicLink()) {
        const behind = await look(path)
        if (behind === undefined) leftOut.broken.push(path)
        else if (behind.isDirectory() && options.followSymlinks && isNew(behind, entered))
          directories.push(path)
      } else if (entry.isDirectory()) {
        directories.push(path)
      }
    }
  }
  return leftOut
}

/** None when it is no directory or cannot be read: the search itself says so. */
async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true })
  } catch {
    return []
  }
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch {
    return undefined
  }
}

function isNew({ dev, ino }: Stats, entered: Set<string>): boolean {
  const before = entered.size
  return entered.add(`${dev}:${ino}`).size > before
}
