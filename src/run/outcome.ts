import type { UploadError } from '../core/errors.js'
import { formatBytes, formatCount, formatDuration, formatNumber, formatSpeed } from '../core/quantities.js'
import { type Report, type Totals, totalsOf } from '../core/report.js'

/** What a re-run will find. */
export interface OutcomeContext {
  /** The state of this attempt is kept for a re-run. */
  readonly keepsState: boolean
  /** Nothing was written on the server. */
  readonly isDryRun?: boolean | undefined
}

/** Why not everything that was asked for is done: the first cause. */
export function failureOf({ results, deletion }: Report): UploadError | undefined {
  const errors = results.flatMap(({ error }) => error ?? [])
  return errors.find(({ code }) => code !== 'withheld') ?? errors[0] ?? deletion?.error
}

/** In one or two sentences: what is in place, and what a re-run will do. The last line of a failed step. */
export function outcomeOf({ results, deletion }: Report, context: OutcomeContext): string {
  if (results.length === 0) return 'There was nothing to upload.'
  const totals = totalsOf(results)
  if (context.isDryRun === true) return dryRun(results, totals, deletion)
  return [inPlace(totals, results.length), deleted(deletion), reRun({ results }, totals, context)]
    .filter(Boolean)
    .join(' ')
}

/** `Sent 1.8 GiB, kept 1.2 GiB, 42 s, 45 MiB/s`; the speed is that of the bytes sent. */
export function trafficOf(sentBytes: number, reusedBytes: number, elapsedMs: number): string {
  const kept = reusedBytes > 0 ? [`kept ${formatBytes(reusedBytes)}`] : []
  const speed = sentBytes > 0 ? formatSpeed(sentBytes, elapsedMs) : ''
  return [`sent ${formatBytes(sentBytes)}`, ...kept, formatDuration(elapsedMs), speed]
    .filter(Boolean)
    .join(', ')
}

function dryRun(results: Report['results'], totals: Totals, deletion: Report['deletion']): string {
  const { planned, skipped, failed } = totals
  const { bytes, reusedBytes } = totalsOf(results.filter(({ status }) => status === 'planned'))
  const steps = [
    planned > 0 && `uploads ${formatCount(planned, 'file')}, sends ${formatBytes(bytes - reusedBytes)}`,
    skipped > 0 && `skips ${formatCount(skipped, 'unchanged file')}`,
    failed > 0 && `fails at ${formatCount(failed, 'file')}`,
    deletion !== undefined &&
      (deletion.error === undefined ? `deletes ${formatEntries(deletion.planned.length)}` : 'fails to delete')
  ].filter(step => step !== false)
  return `This was a dry run, nothing was written on the server. A run ${steps.join(', ')}.`
}

function deleted(deletion: Report['deletion']): string {
  if (deletion === undefined) return ''
  const { removed, error } = deletion
  if (removed.length === 0) return error === undefined ? '' : 'Nothing was deleted below remote-path.'
  const rest = error === undefined ? '' : ', but not all that is no part of the upload'
  return `Deleted ${formatEntries(removed.length)} below remote-path${rest}.`
}

function formatEntries(count: number): string {
  return formatCount(count, 'file or directory', 'files and directories')
}

function inPlace({ uploaded, skipped, failed }: Totals, count: number): string {
  if (failed > 0)
    return `${formatCount(failed, 'file')} of ${formatNumber(count)} ${failed === 1 ? 'is' : 'are'} not in place.`
  const files = count === 1 ? 'The file is' : `All ${formatCount(count, 'file')} are`
  return `${files} in place: ${formatNumber(uploaded)} uploaded, ${formatNumber(skipped)} unchanged.`
}

function reRun({ results }: Pick<Report, 'results'>, totals: Totals, { keepsState }: OutcomeContext): string {
  if (!keepsState) return 'A re-run starts from zero, because no state is kept.'
  if (totals.failed === 0) return 'A re-run skips what has not changed since.'
  const missing = totalsOf(results.filter(({ status }) => status === 'failed'))
  const skips = totals.failed < results.length ? 'skips what is in place and ' : ''
  return totals.continuesWith > 0
    ? `A re-run ${skips}continues with up to ${formatBytes(totals.continuesWith)} of ${formatBytes(missing.bytes)} already on the server.`
    : `A re-run ${skips}sends at most ${formatBytes(missing.bytes)}.`
}
