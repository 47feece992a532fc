import { isAbsolute, relative, sep } from 'node:path'
import { isExclude, type PathLine } from './path-lines.js'
import { matchesAnything, type SearchOptions, searchPathOf, takesAll } from './search.js'

/** Says of each line that includes and matches nothing that it does, given the paths that all lines found together. */
export async function unmatchedLines(
  lines: readonly PathLine[],
  paths: readonly string[],
  options: SearchOptions
): Promise<string[]> {
  const includes = lines.filter(line => !isExclude(line))
  const searchPaths = await Promise.all(includes.map(line => searchPathOf(line, options)))
  const texts: string[] = []
  for (const [index, line] of includes.entries()) {
    const searchPath = searchPaths[index] ?? ''
    const alone = lines.filter(other => other === line || isExclude(other))
    const isShared = searchPaths.some((other, at) => at !== index && overlap(other, searchPath))
    const mayMatch = paths.some(path => isAtOrBelow(path, searchPath))
    // What lies where other lines search, too, may be theirs.
    const isSure = takesAll(line) || !isShared
    if (mayMatch && (isSure || (await matchesAnything(alone, options)))) continue

    const withHidden = { ...options, includeHiddenFiles: true }
    const hidden = !options.includeHiddenFiles && (await matchesAnything(alone, withHidden))
    texts.push(matchesNothing(line, hidden))
  }
  return texts
}

export function isAtOrBelow(path: string, directory: string): boolean {
  const [first] = relative(directory, path).split(sep)
  return first !== '..' && !isAbsolute(first ?? '')
}

function overlap(one: string, other: string): boolean {
  return isAtOrBelow(one, other) || isAtOrBelow(other, one)
}

/** `hidden`: it would match hidden files. */
function matchesNothing({ number, text }: PathLine, hidden: boolean): string {
  const why = hidden ? ' but hidden files, which are left out; set include-hidden-files: true' : ''
  return `paths line ${number} (${JSON.stringify(text)}) matches nothing${why}.`
}
