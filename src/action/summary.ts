import { firstLine, type UploadError } from '../core/errors.js'
import { explain } from '../core/failure-help.js'
import { formatBytes, formatDuration, formatNumber, formatSpeed } from '../core/quantities.js'
import { type Report, totalsOf } from '../core/report.js'
import { type OutcomeContext, outcomeOf } from '../run/outcome.js'
import { attemptsChart } from './attempts-chart.js'
import { filesTable } from './files-table.js'
import { code, tableHead, tableRow } from './markdown-text.js'
import { throughputChart } from './throughput-chart.js'

/** The runner drops a summary of more than 1 MiB, that of other uses of the action in the step included. */
const MAX_BYTES = 400 * 1024
/** All but the rows of the files: some lines, and diagrams of a bounded number of points and attempts. */
const REST_BYTES = 16 * 1024
/** A known_hosts line with an RSA key of 16,384 bits fits in. */
const MAX_LINE = 4000
/** The refusal of a delete names some paths. */
const MAX_REASON = 1000
/** A pace is not extrapolated to more than this many times the bytes that it was measured on. */
const FURTHEST = 10
const SHORTEST_PACE_MS = 2_000

/**
 * The step summary in GitHub-flavoured Markdown: what happened, what a re-run will do and what this one saved; the
 * totals, a row for each file, and diagrams where there is something to see. It stays below 400 KiB.
 */
export function formatSummary(report: Report, context: OutcomeContext): string {
  const { results, history } = report
  const isDryRun = context.isDryRun === true
  const sections = [
    [`### SFTP upload: ${titleOf(report, context)}`],
    [outcomeOf(report, context)],
    whyNotDeleted(report),
    isDryRun ? [] : saved(report),
    results.length === 0 ? [] : totalsTable(report),
    results.length === 0 ? [] : filesTable(results, MAX_BYTES - REST_BYTES),
    ...(history === undefined || isDryRun ? [] : [throughputChart(history), attemptsChart(report)])
  ]
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('\n')
}

/** The step summary of a failure before any file was looked at: what was seen, what it means and what to do. */
export function formatFailure(error: UploadError): string {
  const lines = explain(error)
    .split('\n')
    .map(line => code(line, MAX_LINE))
  return `### SFTP upload: not begun\n\nNothing was sent.\n\n${lines.join('<br>\n')}\n`
}

function titleOf({ results, deletion }: Report, { isDryRun }: OutcomeContext): string {
  if (isDryRun === true) return 'dry run'
  if (results.some(({ status }) => status === 'failed')) return 'incomplete'
  return deletion?.error === undefined ? 'complete' : 'complete, but not everything was deleted'
}

/** The files have their reasons in their rows. */
function whyNotDeleted({ deletion }: Report): string[] {
  return deletion?.error === undefined ? [] : [code(firstLine(deletion.error), MAX_REASON)]
}

/** What did not have to be sent again, and the time that this is worth, where the run was long enough to tell. */
function saved({ results, elapsedMs }: Report): string[] {
  const { bytes, sentBytes, reusedBytes } = totalsOf(results)
  if (reusedBytes === 0) return []
  const share = Math.floor((reusedBytes / bytes) * 100)
  const hasPace = elapsedMs >= SHORTEST_PACE_MS && sentBytes * FURTHEST >= reusedBytes
  const time = hasPace ? `, about ${formatDuration((reusedBytes / sentBytes) * elapsedMs)} at this pace` : ''
  return [
    `**${formatBytes(reusedBytes)} of ${formatBytes(bytes)} were on the server already and were not sent again**: ${share > 0 ? share : 'less than 1'}% saved${time}.`
  ]
}

/** One file says it all in its own row. */
function totalsTable({ results, elapsedMs }: Report): string[] {
  if (results.length < 2) return []
  const totals = totalsOf(results)
  const counts: readonly [string, number][] = [
    ['Files', results.length],
    ['Uploaded', totals.uploaded],
    ['Continued', totals.resumed],
    ['Planned', totals.planned],
    ['Skipped', totals.skipped],
    ['Not in place', totals.failed]
  ]
  const sizes: readonly [string, number][] = [
    ['Total', totals.bytes],
    ['Sent', totals.sentBytes],
    ['Kept', totals.reusedBytes]
  ]
  const cells = [
    ...counts.filter(([, count]) => count > 0).map(([head, count]) => [head, formatNumber(count)]),
    ...sizes.filter(([, size]) => size > 0).map(([head, size]) => [head, formatBytes(size)]),
    ['Time', formatDuration(elapsedMs)],
    ...(totals.sentBytes > 0 ? [['Speed', formatSpeed(totals.sentBytes, elapsedMs)]] : [])
  ]
  const columns = cells.map(([head = '', text = '']) => ({ head, align: 'right', cell: () => text }) as const)
  return [...tableHead(columns), tableRow(columns, undefined)]
}
