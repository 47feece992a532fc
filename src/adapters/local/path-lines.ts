import { UploadError } from '../../core/errors.js'

/** One line of the input `paths`. */
export interface PathLine {
  /** Counted from 1. */
  readonly number: number
  /** The line, as it was written. */
  readonly text: string
  /** A pattern of @actions/glob, with its `!` if it excludes. */
  readonly pattern: string
}

/** A line `local => remote`. */
export interface MappedLine extends PathLine {
  /** Parts of the path below `remote-path`; none for `remote-path` itself. */
  readonly remote: readonly string[]
  /** The remote side ends with a slash. */
  readonly isDirectory: boolean
}

export interface PathLines {
  /** Plain lines and excludes, in order: a later line has the last word about a file. */
  readonly plain: readonly PathLine[]
  readonly mapped: readonly MappedLine[]
}

/**
 * Tells apart what the lines say; blank ones and comments (`#`) say nothing.
 *
 * @throws UploadError `invalid-input` when a remote side is not a path below `remote-path`, or no line includes anything.
 */
export function parsePathLines(lines: readonly string[]): PathLines {
  const plain: PathLine[] = []
  const mapped: MappedLine[] = []
  for (const [index, line] of lines.entries()) {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) continue
    const [, local, remote = ''] = /^(.*?)(?:^|\s+)=>(?:\s+(.*))?$/.exec(text) ?? []
    if (local === undefined) plain.push({ number: index + 1, text, pattern: text })
    else mapped.push(parseMapping({ number: index + 1, text, pattern: local }, remote))
  }
  if (mapped.length === 0 && plain.every(isExclude)) {
    throw new UploadError('invalid-input', 'paths: must have a line that names files; found none')
  }
  return { plain, mapped }
}

/** Whether the line takes files away: each `!` turns the meaning around, as in @actions/glob. */
export function isExclude({ pattern }: PathLine): boolean {
  const marks = /^[!\s]*/.exec(pattern)?.[0] ?? ''
  return marks.replace(/\s/g, '').length % 2 === 1
}

/** An error about one line, which it quotes. */
export function lineError({ number, text }: PathLine, problem: string): UploadError {
  return new UploadError('invalid-input', `paths line ${number} (${JSON.stringify(text)}): ${problem}`)
}

function parseMapping(line: PathLine, remote: string): MappedLine {
  if (line.pattern === '') throw lineError(line, 'the local side must name files; found nothing')
  if (isExclude(line)) throw lineError(line, 'a line that excludes must have no remote side')
  const problem = problemOf(remote)
  if (problem !== undefined) {
    throw lineError(line, `the remote side must be a path below remote-path; ${problem}`)
  }
  const parts = remote.split('/').filter(part => part !== '' && part !== '.')
  return { ...line, remote: parts, isDirectory: /(?:^|\/)\.?$/.test(remote) }
}

function problemOf(remote: string): string | undefined {
  if (remote === '') return 'found nothing'
  if (remote.startsWith('/')) return 'found an absolute path'
  if (/^~(?:\/|$)/.test(remote)) return 'found ~, which SFTP does not know'
  if (/\p{Cc}/u.test(remote)) return 'found a control character'
  if (remote.includes('\\')) return 'found a backslash, where / goes between the parts'
  if (remote.split('/').includes('..')) return 'found ..'
  return undefined
}
