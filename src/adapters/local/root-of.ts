import { dirname, normalize, parse, sep } from 'node:path'

/**
 * The directory that the places of a set of files begin in, as actions/upload-artifact chooses it (src/shared/search.ts):
 * the deepest directory above all search paths when there are several, a single file's own directory, else the search
 * path. `undefined` when the search paths lie on different drives.
 */
export function rootOf(searchPaths: readonly string[], files: readonly string[]): string | undefined {
  const [first, ...others] = searchPaths
  if (first === undefined || others.length > 0) return deepestAbove(searchPaths)
  return files[0] === first ? dirname(first) : first
}

function deepestAbove(paths: readonly string[]): string | undefined {
  const [first, ...others] = paths.map(path => normalize(path).split(sep))
  if (first === undefined) return undefined
  const differing = first.findIndex((part, index) => others.some(other => other[index] !== part))
  const common = differing === -1 ? first : first.slice(0, differing)
  if (common.length === 0) return undefined
  return common.length === 1 ? parse(`${common[0] ?? ''}${sep}`).root : common.join(sep)
}
