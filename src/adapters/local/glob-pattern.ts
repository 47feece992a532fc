import { isAbsolute, sep } from 'node:path'

const IS_WINDOWS = sep === '\\'

/**
 * A pattern of @actions/glob that means below `directory` what it would mean below the working directory. `directory`
 * is absolute; the glob characters in it stand for themselves.
 */
export function rootPattern(pattern: string, directory: string): string {
  const [marks = ''] = /^[!\s]*/.exec(pattern) ?? []
  const path = pattern.slice(marks.length)
  if (path === '' || hasOwnRoot(path)) return pattern
  const relative = path === '.' || /^\.[/\\]/.test(path) ? path.slice(1).replace(/^[/\\]+/, '') : path
  const base = escapeGlob(directory)
  const joint = base.endsWith(sep) ? '' : sep
  return `${marks}${base}${relative === '' ? '' : joint}${relative}`
}

/** Absolute, below the home directory (`~`), or on Windows below a drive (`C:x`). */
function hasOwnRoot(path: string): boolean {
  if (isAbsolute(path)) return true
  return IS_WINDOWS ? /^(?:~(?:[/\\]|$)|[A-Za-z]:)/.test(path) : /^~(?:\/|$)/.test(path)
}

/** A pattern for this path alone: as @actions/glob escapes the working directory (internal-pattern.js, globEscape). */
export function escapeGlob(path: string): string {
  return (IS_WINDOWS ? path : path.replaceAll('\\', '\\\\'))
    .replace(/\[(?=[^/]+\])/g, '[[]')
    .replaceAll('?', '[?]')
    .replaceAll('*', '[*]')
}
