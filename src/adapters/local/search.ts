import { create, type Globber } from '@actions/glob'
import { basename } from 'node:path'
import { reasonOf, toUploadError } from '../../core/errors.js'
import { rootPattern } from './glob-pattern.js'
import { lineError, type PathLine } from './path-lines.js'
import { badName } from './place-files.js'
import { statHere } from './stat-here.js'

export interface SearchOptions {
  readonly includeHiddenFiles: boolean
  readonly followSymlinks: boolean
  /** Absolute; relative patterns begin here. */
  readonly workspace: string
}

/** What some patterns match together. */
export interface SearchResult {
  /** Where the search began: the patterns up to their first glob character, without those below another one. */
  readonly searchPaths: readonly string[]
  /** Absolute paths of all that is no directory. */
  readonly paths: readonly string[]
  /** Absolute paths that may match, but have names that are not UTF-8: Node puts U+FFFD into them and finds no such file. */
  readonly notUtf8: readonly string[]
}

/**
 * Searches with @actions/glob.
 *
 * @throws UploadError `source-unreadable` when a directory cannot be read.
 */
export async function search(lines: readonly PathLine[], options: SearchOptions): Promise<SearchResult> {
  const globber = await createGlobber(lines, options)
  const unseen: string[] = []
  try {
    const paths = await statHere(
      () => globber.glob(),
      path => unseen.push(path)
    )
    const notUtf8 = unseen.filter(path => path.includes('\uFFFD') && !isLeftOut(basename(path), options))
    return { searchPaths: globber.getSearchPaths(), paths, notUtf8 }
  } catch (error) {
    const path = typeof error === 'object' && error !== null && 'path' in error ? error.path : undefined
    if (typeof path === 'string' && path.includes('\uFFFD')) throw badName(path) // it met a name that is not UTF-8 and could not look at it
    throw toUploadError(error, 'source-unreadable', 'search for the files that paths names')
  }
}

/** Whether the patterns match anything that is no directory; looks no further than the first. */
export async function matchesAnything(lines: readonly PathLine[], options: SearchOptions): Promise<boolean> {
  const globber = await createGlobber(lines, options)
  try {
    const first = await statHere(() => globber.globGenerator().next())
    return first.done !== true
  } catch {
    return false // the search for the files themselves says what cannot be read
  }
}

/**
 * The search path of one line.
 *
 * @throws UploadError `invalid-input` when @actions/glob does not take the pattern, for instance because of `..`.
 */
export async function searchPathOf(line: PathLine, options: SearchOptions): Promise<string> {
  try {
    const globber = await createGlobber([line], options)
    return globber.getSearchPaths()[0] ?? options.workspace
  } catch (error) {
    throw lineError(line, reasonOf(error))
  }
}

/** Whether a line matches everything below its search path: a path without glob characters, `x/*`, `x/**` and the like. */
export function takesAll({ pattern }: PathLine): boolean {
  return !/[*?[]/.test(pattern.replace(/(?:(?:^|[/\\])\*\*?)+[/\\]?$/, ''))
}

/** Whether a name is passed over because it is hidden. */
export function isLeftOut(name: string, { includeHiddenFiles }: SearchOptions): boolean {
  return !includeHiddenFiles && name.startsWith('.')
}

function createGlobber(lines: readonly PathLine[], options: SearchOptions): Promise<Globber> {
  const patterns = lines.map(({ pattern }) => rootPattern(pattern, options.workspace))
  return create(patterns.join('\n'), {
    matchDirectories: false,
    followSymbolicLinks: options.followSymlinks,
    excludeHiddenFiles: !options.includeHiddenFiles
  })
}
