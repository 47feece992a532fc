import { firstLine } from '../core/errors.js'
import { formatBytes, formatDuration, formatNumber, formatSpeed } from '../core/quantities.js'
import type { FileResult } from '../core/report.js'
import { tellOnce } from '../run/tell-once.js'
import { barOf, hasParts, legendOf } from './file-bar.js'
import { code, type Column, tableHead, tableRow } from './markdown-text.js'

/** Rows that are seen at once; the others are folded away. */
const OPEN_ROWS = 15
const MAX_ROWS = 1000
const MAX_NAME = 200
const MAX_ERROR = 300

/**
 * A row for each file, failed ones first, then the largest, in at most `maxBytes`. What would say nothing of any file
 * has no column.
 */
export function filesTable(results: readonly FileResult[], maxBytes: number): string[] {
  const sorted = [...results].sort(byInterest)
  const hasBars = isWorthBars(results)
  const columns = columnsFor(results, hasBars ? [barColumn(results)] : [])
  const rows: string[] = []
  let bytes = 0
  for (const result of sorted.slice(0, MAX_ROWS)) {
    const next = tableRow(columns, result)
    bytes += Buffer.byteLength(next) + 1
    if (bytes > maxBytes) break
    rows.push(next)
  }
  const head = tableHead(columns)
  const folded = rows.slice(OPEN_ROWS)
  const hidden = results.length - rows.length
  return [
    ...head,
    ...rows.slice(0, OPEN_ROWS),
    ...(results.some(hasParts) && hasBars ? ['', legendOf(results)] : []),
    ...(folded.length > 0 ? ['', ...fold(formatMore(folded.length), [...head, ...folded])] : []),
    ...(hidden > 0 ? ['', `${formatMore(hidden)} are not listed.`] : [])
  ]
}

function byInterest(a: FileResult, b: FileResult): number {
  return Number(b.status === 'failed') - Number(a.status === 'failed') || b.file.size - a.file.size
}

/** Bars compare files, or what is where of one; in a dry run that sends everything they all look alike. */
function isWorthBars(results: readonly FileResult[]): boolean {
  if (results.some(({ status }) => status === 'planned'))
    return results.some(({ reusedBytes }) => reusedBytes > 0)
  return results.length > 1 || results.some(hasParts)
}

function columnsFor(
  results: readonly FileResult[],
  bars: readonly Column<FileResult>[]
): Column<FileResult>[] {
  const right = (head: string, cell: (result: FileResult) => string) =>
    ({ head, cell, align: 'right' }) as const
  const isPlan = results.some(({ status }) => status === 'planned')
  const bytesColumn = (head: string, bytesOf: (result: FileResult) => number) => {
    const isNone = results.every(result => bytesOf(result) === 0)
    const isAll = results.every(result => bytesOf(result) === result.file.size)
    return isNone || isAll ? [] : [right(head, result => formatBytes(bytesOf(result)))]
  }
  return [
    { head: 'Status', align: 'left', cell: statusCell },
    { head: 'File', align: 'left', cell: nameCells() },
    ...bars,
    right('Size', ({ file }) => formatBytes(file.size)),
    ...bytesColumn('Sent', ({ sentBytes }) => sentBytes),
    ...bytesColumn('Kept', ({ reusedBytes }) => reusedBytes),
    ...(isPlan ? [] : [right('Time', ({ elapsedMs }) => formatDuration(elapsedMs))]),
    // Files that are on their way together share the line.
    ...(results.length === 1 && results[0]?.sentBytes !== 0
      ? [right('Speed', ({ sentBytes, elapsedMs }) => formatSpeed(sentBytes, elapsedMs))]
      : [])
  ]
}

function barColumn(results: readonly FileResult[]): Column<FileResult> {
  const largest = results.reduce((most, { file }) => Math.max(most, file.size), 0)
  return {
    head: 'On the server',
    align: 'left',
    cell: result => `<code>${barOf(result, largest)}</code>`
  }
}

function statusCell({ status }: FileResult): string {
  return status === 'failed' ? '**not in place**' : status
}

/** The name, with the reason of a failure the first time that it is told. */
function nameCells(): Column<FileResult>['cell'] {
  const reasonOf = tellOnce()
  return ({ file, error }) => {
    const reason = reasonOf(error)
    const why = reason === undefined ? '' : `<br>${code(firstLine(reason), MAX_ERROR)}`
    return `${code(file.remote, MAX_NAME)}${why}`
  }
}

function fold(title: string, lines: readonly string[]): string[] {
  return ['<details>', `<summary>${title}</summary>`, '', ...lines, '', '</details>']
}

function formatMore(count: number): string {
  return `${formatNumber(count)} more`
}
