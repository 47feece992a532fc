import { basename, relative, sep } from 'node:path'
import { UploadError } from '../../core/errors.js'
import type { MappedLine } from './path-lines.js'
import { rootOf } from './root-of.js'

/** Gives each file of a set its place below `remote-path`. */
export type PlaceFiles = (searchPaths: readonly string[], files: readonly string[]) => PlaceFile

type PlaceFile = (file: string) => readonly string[]

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
  return file => partsBelow(root, file)
}

/**
 * Places the files of a line `local => remote`: below `remote`, relative to the search path. A single file that is
 * named literally gets `remote` as its name, unless that is a directory.
 */
export function placeMapped({ remote, isDirectory }: MappedLine): PlaceFiles {
  return ([searchPath = ''], files) => {
    const isLiteral = files[0] === searchPath
    if (!isLiteral) return file => [...remote, ...partsBelow(searchPath, file)]
    return file => (isDirectory ? [...remote, ...checked([basename(file)])] : remote)
  }
}

function partsBelow(root: string, file: string): readonly string[] {
  return checked(relative(root, file).split(sep))
}

/** Refuses names that would forge lines in logs, have another meaning on some servers, or collapse into one. */
function checked(parts: readonly string[]): readonly string[] {
  for (const name of parts) {
    if (/[\p{Cc}\\\uFFFD]/u.test(name)) throw badName(parts.join('/'))
  }
  return parts
}

/** The error about a name that cannot be sent. */
export function badName(path: string): UploadError {
  return new UploadError(
    'invalid-input',
    `paths: a file name must be UTF-8 without control characters and backslashes; found ${JSON.stringify(path)}`
  )
}
