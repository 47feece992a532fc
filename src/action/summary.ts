import { firstLine, type UploadError } from '../core/errors.js'
import { explain } from '../core/failure-help.js'
import { formatBytes, formatDuration, formatSpeed } from '../core/quantities.js'
import { type FileResult, type Report, totalsOf } from '../core/report.js'
import { type OutcomeContext, outcomeOf } from '../run/outcome.js'
import { printable } from '../run/printable.js'
import { tellOnce } from '../run/tell-once.js'

/** The runner drops a summary of more than 1 MiB, that of other uses of the action in the step included. */
const MAX_BYTES = 400 * 1024
const MAX_ROWS = 1000
const MAX_NAME = 200
const MAX_ERROR = 300
/** A known_hosts line with an RSA key of 16,384 bits fits in. */
const MAX_LINE = 4000

/**
 * The step summary in GitHub-flavoured Markdown: what happened and what a re-run will do, the totals, then a row for
 * each file, failed ones first, then the largest. It stays below 400 KiB.
 */
export function formatSummary(report: Report, context: OutcomeContext): string {
  const head = [
    `### SFTP upload: ${titleOf(report, context)}`,
    '',
    outcomeOf(report, context),
    '',
    ...(report.results.length === 0 ? [] : [...totalsTable(report), '', ...filesTable(report.results)])
  ]
  return `${head.join('\n')}\n`
}

/** The step summary of a failure before any file was looked at: what was seen, what it means and what to do. */
export function formatFailure(error: UploadError): string {
  const lines = explain(error)
    .split('\n')
    .map(line => code(line, MAX_LINE))
  return `### SFTP upload: not begun\n\nNothing was sent.\n\n${lines.join('<br>\n')}\n`
}

function titleOf({ results }: Report, { isDryRun }: OutcomeContext): string {
  if (isDryRun === true) return 'dry run'
  return results.some(({ status }) => status === 'failed') ? 'incomplete' : 'complete'
}

function totalsTable({ results, elapsedMs }: Report): string[] {
  const totals = totalsOf(results)
  return [
    '| Files | Uploaded | of them continued | Skipped | Not in place | Total | Sent | Kept | Time | Speed |',
    '| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |',
    row([
      ...[results.length, totals.uploaded, totals.resumed, totals.skipped, totals.failed].map(count =>
        count.toLocaleString('en-US')
      ),
      ...[totals.bytes, totals.sentBytes, totals.reusedBytes].map(formatBytes),
      formatDuration(elapsedMs),
      totals.sentBytes > 0 ? formatSpeed(totals.sentBytes, elapsedMs) : ''
    ])
  ]
}

function filesTable(results: readonly FileResult[]): string[] {
  const sorted = [...results].sort(byInterest)
  const rows: string[] = []
  const reasonOf = tellOnce()
  let bytes = 0
  for (const result of sorted.slice(0, MAX_ROWS)) {
    const next = fileRow(result, reasonOf(result.error))
    bytes += Buffer.byteLength(next) + 1
    if (bytes > MAX_BYTES - 4096) break // the rest of the summary is short
    rows.push(next)
  }
  const more = results.length - rows.length
  return [
    '| Status | File | Size | Sent | Kept | Time |',
    '| :-- | :-- | --: | --: | --: | --: |',
    ...rows,
    ...(more > 0 ? ['', `… and ${more.toLocaleString('en-US')} more.`] : [])
  ]
}

function byInterest(a: FileResult, b: FileResult): number {
  return Number(b.status === 'failed') - Number(a.status === 'failed') || b.file.size - a.file.size
}

function fileRow(
  { file, status, sentBytes, reusedBytes, elapsedMs }: FileResult,
  error: UploadError | undefined
): string {
  const why = error === undefined ? '' : `<br>${code(firstLine(error), MAX_ERROR)}`
  const sizes = [file.size, sentBytes, reusedBytes].map(formatBytes)
  return row([
    status === 'failed' ? '**not in place**' : status,
    `${code(file.remote, MAX_NAME)}${why}`,
    ...sizes,
    formatDuration(elapsedMs)
  ])
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/**
 * Text from outside, as code in which nothing is Markdown, HTML, a mention or a link: GitHub makes no mentions inside
 * of code, and what could be markup is a character reference.
 */
function code(text: string, maxLength: number): string {
  const safe = printable(text, maxLength)
    .replace(/[^\p{L}\p{M}\p{N} ./,()+=%-]/gu, character => `&#${character.codePointAt(0) ?? 0};`)
    .replace(/www\./gi, match => match.replace('.', '&#46;'))
  return `<code>${safe}</code>`
}
