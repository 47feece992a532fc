import { resolve } from 'node:path'
import type { MatchedFile } from '../../core/plan.js'
import { type LeftOut, leftOutFinder } from './left-out.js'
import { createNotices, type Notices } from './notices.js'
import { isExclude, parsePathLines, type PathLine } from './path-lines.js'
import { readIgnoreFile } from './ignore-file.js'
import {
  badName,
  localOf,
  type Placement,
  placeMapped,
  placeOf,
  placePlain,
  type PlaceFiles
} from './place-files.js'
import { sortPaths } from './regular-files.js'
import { isLeftOut, search, type SearchOptions, searchPathOf, takesAll } from './search.js'
import { isAtOrBelow, unmatchedLines } from './unmatched-lines.js'

export interface FileSelection extends SearchOptions {
  /** The lines of the input `paths`. */
  readonly paths: readonly string[]
  /** Relative to the workspace; `undefined`: nothing is ignored. */
  readonly ignoreFile: string | undefined
}

export interface Match {
  readonly files: MatchedFile[]
  /** What is left out, in words. */
  readonly notices: string[]
  /** In words, each line that includes and matches nothing. */
  readonly unmatched: string[]
  /** Whether there is an ignore file. */
  readonly hasIgnoreFile: boolean
  /** Whether the selection leaves out whatever has this place below `remote-path`: it is ignored, or hidden. */
  readonly leavesOut: (place: readonly string[]) => boolean
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
 * Finds the files that the lines of `paths` name, with their places below `remote-path`, and says what is left out and
 * which lines come to nothing. What is left out by the ignore file or as hidden is told for places on the server, too.
 *
 * All plain lines are one set, rooted together as actions/upload-artifact does. Each line `local => remote` is a set of
 * its own, rooted at its search path and put under `remote`; only a single file named literally gets `remote` itself
 * as its name, unless that ends with a slash. So `*.zip => out.zip` puts its matches into a directory `out.zip`. Lines
 * with `!` hold for all sets.
 *
 * @throws UploadError `invalid-input` for a line that cannot be read, and for file names that cannot be sent or must
 * not go into logs; `source-unreadable`.
 */
export async function matchFiles(selection: FileSelection): Promise<Match> {
  const options = { ...selection, workspace: resolve(selection.workspace) }
  const rules = await readIgnoreFile(options.ignoreFile, options.workspace)
  const notices = createNotices(options)
  const placements: Placement[] = []
  const leftOutBelow = leftOutFinder(options)
  const files: MatchedFile[] = []
  const unmatched: string[] = []
  for (const set of setsOf(selection.paths)) {
    for (const line of set.lines) await searchPathOf(line, options)
    const { searchPaths, paths, notUtf8 } = await search(set.lines, options)
    const { sizes, symlinks, special } = sortPaths(paths, options.followSymlinks)
    const placement = set.place(searchPaths, [...sizes.keys()])
    placements.push(placement)
    const ignored = new Set([...sizes.keys()].filter(path => rules.ignoresFile(path)))
    for (const [local, size] of sizes) {
      if (!ignored.has(local)) files.push({ local, place: placeOf(local, placement), size })
    }
    notices.leaveOut({ symlinks, special, notUtf8, ignored: [...ignored] })
    await explainSearch(set, notUtf8, { options, notices, leftOutBelow })
    unmatched.push(...(await unmatchedLines(set.lines, paths, options)))
  }
  const leavesOut = (place: readonly string[]) => {
    if (place.some(name => isLeftOut(name, options))) return true
    const locals = placements.map(placement => localOf(place, placement))
    return locals.some(local => local !== undefined && rules.ignoresAnything(local))
  }
  return { files, notices: notices.texts(), unmatched, hasIgnoreFile: rules.isThere, leavesOut }
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

interface Explaining {
  readonly options: SearchOptions
  readonly notices: Notices
  readonly leftOutBelow: (directory: string) => Promise<LeftOut>
}

/** Says what the search passed over where a line takes all; whether a narrower one means such files, nobody can tell. */
async function explainSearch(
  { includes, excludes }: FileSet,
  notUtf8: readonly string[],
  { options, notices, leftOutBelow }: Explaining
): Promise<void> {
  for (const line of includes.filter(takesAll)) {
    const searchPath = await searchPathOf(line, options)
    const nameless = notUtf8.find(path => isAtOrBelow(path, searchPath))
    if (nameless !== undefined && excludes.length === 0) throw badName(nameless)
    notices.leaveOut(await leftOutBelow(searchPath))
  }
}
