import ignore from 'ignore'
import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { codeOf, toUploadError, UploadError } from '../../core/errors.js'

/** Whether an absolute local path is left out: one that is there, or one that could be, a file or a directory. */
export interface IgnoreRules {
  /** Whether there is a file with rules. */
  readonly isThere: boolean
  ignoresFile(path: string): boolean
  ignoresAnything(path: string): boolean
}

/** This one need not be there; one that somebody named must. */
const USUAL_NAME = '.sftpignore'

const NONE: IgnoreRules = { isThere: false, ignoresFile: () => false, ignoresAnything: () => false }

/**
 * Reads an ignore file in the syntax of gitignore; its patterns are relative to the directory that it is in, and tell
 * upper from lower case on every system. The file itself is left out, too. `name` is relative to the workspace;
 * without one nothing is left out.
 *
 * @throws UploadError `invalid-input` when it is not there, `source-unreadable`.
 */
export async function readIgnoreFile(name: string | undefined, workspace: string): Promise<IgnoreRules> {
  if (name === undefined) return NONE
  const file = resolve(workspace, name)
  const text = await readText(file, name)
  if (text === undefined) return NONE

  const patterns = ignore({ ignorecase: false }).add(text)
  const root = dirname(file)
  const pathBelow = (path: string) => {
    const below = relative(root, path)
    const isOutside = below === '' || isAbsolute(below) || below.split(sep)[0] === '..'
    return isOutside ? undefined : below.replaceAll(sep, '/')
  }
  const ignoresFile = (path: string) => {
    const below = pathBelow(path)
    return path === file || (below !== undefined && patterns.ignores(below))
  }
  const ignoresAnything = (path: string) => {
    const below = pathBelow(path)
    return ignoresFile(path) || (below !== undefined && patterns.ignores(`${below}/`))
  }
  return { isThere: true, ignoresFile, ignoresAnything }
}

async function readText(file: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT')
      throw toUploadError(error, 'source-unreadable', `read the ignore file ${name}`)
    if (name === USUAL_NAME) return undefined
    throw new UploadError(
      'invalid-input',
      `ignore-file: must be a file, relative to the workspace, or nothing; found none at ${JSON.stringify(file)}`
    )
  }
}
