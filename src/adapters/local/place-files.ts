import { dirname, join, relative, sep } from 'node:path'
import { UploadError } from '../../core/errors.js'
import type { MappedLine } from './path-lines.js'
import { rootOf } from './root-of.js'

/** What lies at and below a local path goes to a place below `remote-path`. */
export interface Placement {
  readonly local: string
  readonly place: readonly string[]
}

/** Where the files of a set go. */
export type PlaceFiles = (searchPaths: readonly string[], files: readonly string[]) => Placement

/**
 * Places the files of all plain lines: relative to their common root.
 *
 * @throws UploadError `invalid-input` when there is none.
 */
export const placePlain: PlaceFiles = (searchPaths, files) => {
  const root = rootOf(searchPaths, files)
  if (root === undefined) {
    throw new UploadError(
      'invalid-input',
      `paths: the lines without a remote side must have a directory in common; found ${searchPaths.join(', ')}`
    )
  }
  return { local: root, place: [] }
}

/**
 * Places the files of a line `local => remote`: below `remote`, relative to the search path. A single file that is
 * named literally gets `remote` as its name, unless that is a directory.
 */
export function placeMapped({ remote, isDirectory }: MappedLine): PlaceFiles {
  return ([searchPath = ''], files) => {
    const isLiteral = files[0] === searchPath
    return { local: isLiteral && isDirectory ? dirname(searchPath) : searchPath, place: remote }
  }
}

/**
 * The place of a file.
 *
 * @throws UploadError `invalid-input` for a name that would forge lines in logs, has another meaning on some servers,
 * or collapses into one with another.
 */
export function placeOf(file: string, { local, place }: Placement): readonly string[] {
  const below = file === local ? [] : relative(local, file).split(sep)
  for (const name of below) {
    if (/[\p{Cc}\\\uFFFD]/u.test(name)) throw badName(below.join('/'))
  }
  return [...place, ...below]
}

/** The local path that would go to a place; `undefined` when none would. */
export function localOf(wanted: readonly string[], { local, place }: Placement): string | undefined {
  const isBelow = place.every((name, index) => name === wanted[index])
  return isBelow ? join(local, ...wanted.slice(place.length)) : undefined
}

/** The error about a name that cannot be sent. */
export function badName(path: string): UploadError {
  return new UploadError(
    'invalid-input',
    `paths: a file name must be UTF-8 without control characters and backslashes; found ${JSON.stringify(path)}`
  )
}
