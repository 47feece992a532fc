/**
 * A path as servers see it that tell apart neither case nor the composition of letters (Windows, macOS): equal for
 * paths that are one there.
 */
export function folded(path: string): string {
  return path.normalize('NFC').toLowerCase().normalize('NFC')
}
