import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** What @actions/glob passes over in silence. */
export interface LeftOut {
  /** Names that begin with a dot; what is below such a directory is not listed. */
  readonly hidden: string[]
  /** Symbolic links to nothing. */
  readonly broken: string[]
  /** Names that are not UTF-8: Node puts U+FFFD into them and finds no such file. */
  readonly notUtf8: string[]
}

/** Walks a directory for what a search of all of it leaves out. Symbolic links to directories are not entered. */
export async function findLeftOut(directory: string, includeHiddenFiles: boolean): Promise<LeftOut> {
  const leftOut: LeftOut = { hidden: [], broken: [], notUtf8: [] }
  const directories = [directory]
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    for (const entry of await entriesOf(next)) {
      const path = join(next, entry.name)
      if (!includeHiddenFiles && entry.name.startsWith('.')) leftOut.hidden.push(path)
      else if (entry.name.includes('\uFFFD') && !(await exists(path))) leftOut.notUtf8.push(path)
      else if (entry.isSymbolicLink() && !(await exists(path))) leftOut.broken.push(path)
      else if (entry.isDirectory()) directories.push(path)
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

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
