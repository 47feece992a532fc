import { isAbsolute, resolve } from 'node:path'
import { UploadError } from '../core/errors.js'
import { escapeGlob } from '../adapters/local/glob-pattern.js'

/** The inputs `paths`, line by line, and `remote-path`. */
export interface Selection {
  readonly lines: readonly string[]
  readonly remotePath: string
  /** REMOTE is the name of the one file, in the directory `remotePath`. */
  readonly namesOneFile: boolean
}

export interface Disk {
  readonly workingDirectory: string
  /** What a path names; `undefined` when there is nothing. */
  readonly look: (path: string) => 'file' | 'other' | undefined
}

/**
 * Reads `LOCAL... REMOTE` as `cp` does: one file gets REMOTE as its name, unless that is a directory by its form;
 * everything else goes below REMOTE. A LOCAL that is there means itself, whatever its characters; another one is a
 * pattern.
 *
 * @throws UploadError `invalid-input` for a LOCAL of several lines.
 */
export function selectionOf(paths: readonly string[], { workingDirectory, look }: Disk): Selection {
  const locals = paths.slice(0, -1)
  const remote = paths.at(-1) ?? ''
  const kinds = locals.map(local => look(resolve(workingDirectory, local)))
  const lines = locals.map((local, index) => {
    if (/[\r\n]/.test(local)) {
      throw new UploadError(
        'invalid-input',
        `LOCAL must be a path in one line; found ${JSON.stringify(local)}`
      )
    }
    return kinds[index] === undefined ? local : literal(resolve(workingDirectory, local))
  })
  const [line = ''] = lines
  const [, directory = '', name = ''] = /^(.*\/)?([^/]*)$/s.exec(remote) ?? []
  if (lines.length > 1 || kinds[0] !== 'file' || ['', '.', '..', '~'].includes(name)) {
    return { lines, remotePath: remote, namesOneFile: false }
  }
  const remotePath = directory === '' ? '.' : directory
  return { lines: [`${line} => ${name}`], remotePath, namesOneFile: true }
}

/** A line of `paths` for an absolute path. In brackets a character stands for itself alone, blanks at the end included. */
function literal(path: string): string {
  const pattern = escapeGlob(path)
    .replace(/(\s)=>/g, '$1[=]>')
    .replace(/\s$/, '[$&]')
  return isAbsolute(pattern) ? pattern : `./${pattern}`
}
