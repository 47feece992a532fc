import type { FileResult } from '../core/report.js'

/** Characters of the bar of the largest file. */
const WIDTH = 16
const SENT = '█'
const KEPT = '▒'
const MISSING = '─'

/** Of a file, in bytes. */
interface Parts {
  readonly kept: number
  readonly sent: number
  readonly missing: number
}

/** What of a file was kept, was sent and is missing, as long as its size is beside that of the largest file. */
export function barOf(result: FileResult, largest: number): string {
  const { size } = result.file
  if (size === 0) return ''
  const { kept, sent, missing } = partsOf(result)
  const width = Math.max(1, Math.round((size / largest) * WIDTH))
  // A file that is not whole never looks whole.
  const most = missing > 0 ? width - 1 : width
  const keptUntil = Math.min(Math.round((kept / size) * width), most)
  const sentUntil = Math.min(Math.round(((kept + sent) / size) * width), most)
  return KEPT.repeat(keptUntil) + SENT.repeat(sentUntil - keptUntil) + MISSING.repeat(width - sentUntil)
}

/** Whether a bar tells more than that all of the file was sent. */
export function hasParts(result: FileResult): boolean {
  const { kept, missing } = partsOf(result)
  return kept > 0 || missing > 0
}

/** What the characters of these bars mean. */
export function legendOf(results: readonly FileResult[]): string {
  const parts = results.map(partsOf)
  return [
    ...(parts.some(({ kept }) => kept > 0) ? [`${KEPT} there before`] : []),
    ...(parts.some(({ sent }) => sent > 0) ? [`${SENT} sent by this run`] : []),
    ...(parts.some(({ missing }) => missing > 0) ? [`${MISSING} missing`] : [])
  ].join(' · ')
}

function partsOf({ file: { size }, status, reusedBytes, continuesWith = 0 }: FileResult): Parts {
  if (status === 'skipped') return { kept: size, sent: 0, missing: 0 }
  const there = status === 'uploaded' ? size : status === 'failed' ? continuesWith : reusedBytes
  const kept = Math.min(reusedBytes, there)
  return { kept, sent: there - kept, missing: size - there }
}
