import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { MatchedFile } from '../../core/plan.js'
import { findLeftOut } from './left-out.js'
import { createNotices, type Notices } from './notices.js'
import { isExclude, parsePathLines, type PathLine } from './path-lines.js'
import { badName, placeMapped, placePlain, type PlaceFiles } from './place-files.js'
import { sortPaths } from './regular-files.js'
import { matchesAnything, search, type SearchOptions, searchPathOf, takesAll } from './search.js'

export interface FileSelection extends SearchOptions {
  /** The lines of the input `paths`. */
  readonly paths: readonly string[]
}

/** Lines that are searched together, and where their files go. */
interface FileSet {
  readonly includes: readonly PathLine[]
  readonly excludes: readonly PathLine[]
  /** All of them, in order. */
  readonly lines: readonly PathLine[]
  readonly place: PlaceFiles
}

/**
 * Finds the files that the lines of `paths` name, with their places below `remote-path`, and says in notices what is
 * left out.
 *
 * All plain lines are one set, rooted together as actions/upload-artifact does. Each line `local => remote` is a set of
 * its own, rooted at its search path and put under `remote`; only a single file named literally gets `remote` itself
 * as its name, unless that ends with a slash. So `*.zip => out.zip` puts its matches into a directory `out.zip`. Lines
 * with `!` hold for all sets.
 *
 * @throws UploadError `invalid-input` for a line that cannot be read, and for file names that cannot be sent or must
 * not go into logs; `source-unreadable`.
 */
export async function matchFiles(
  selection: FileSelection
): Promise<{ files: MatchedFile[]; notices: string[] }> {
  const options = { ...selection, workspace: resolve(selection.workspace) }
  const notices = createNotices(options)
  const files: MatchedFile[] = []
  for (const set of setsOf(selection.paths)) {
    for (const line of set.lines) await searchPathOf(line, options)
    const { searchPaths, paths } = await search(set.lines, options)
    const { sizes, symlinks, special } = await sortPaths(paths, options.followSymlinks)
    const placeOf = set.place(searchPaths, [...sizes.keys()])
    for (const [local, size] of sizes) files.push({ local, place: placeOf(local), size })
    notices.leaveOut({ symlinks, special })
    await explainIncludes(set, paths, options, notices)
  }
  return { files, notices: notices.texts() }
}

function setsOf(paths: readonly string[]): FileSet[] {
  const { plain, mapped } = parsePathLines(paths)
  const includes = plain.filter(line => !isExclude(line))
  const excludes = plain.filter(isExclude)
  const sets = mapped.map(line => ({
    includes: [line],
    excludes,
    lines: [line, ...excludes],
    place: placeMapped(line)
  }))
  return includes.length === 0 ? sets : [{ includes, excludes, lines: plain, place: placePlain }, ...sets]
}

/** Says of each line that includes whether it came to nothing, and what the search passed over. */
async function explainIncludes(
  { includes, excludes }: FileSet,
  paths: readonly string[],
  options: SearchOptions,
  notices: Notices
): Promise<void> {
  for (const line of includes) {
    const searchPath = await searchPathOf(line, options)
    const leftOut = takesAll(line) ? await findLeftOut(searchPath, options.includeHiddenFiles) : undefined
    const [nameless] = leftOut?.notUtf8 ?? []
    if (nameless !== undefined && excludes.length === 0) throw badName(nameless)
    if (leftOut !== undefined) notices.leaveOut(leftOut)
    if (paths.some(path => isAtOrBelow(path, searchPath))) continue

    const withHidden = { ...options, includeHiddenFiles: true }
    const hidden = !options.includeHiddenFiles && (await matchesAnything([line, ...excludes], withHidden))
    notices.matchesNothing(line, hidden)
  }
}

function isAtOrBelow(path: string, directory: string): boolean {
  const [first] = relative(directory, path).split(sep)
  return first !== '..' && !isAbsolute(first ?? '')
}
