import { type FileResult, type Report, stateOf, totalsOf } from '../core/report.js'
import { fileEntry } from '../run/file-entry.js'

/** The outputs of action.yml. */
export interface Outputs {
  readonly state: 'complete' | 'incomplete'
  readonly 'uploaded-count': number
  readonly 'resumed-count': number
  readonly 'skipped-count': number
  readonly 'failed-count': number
  readonly 'deleted-count': number
  readonly 'total-bytes': number
  readonly 'sent-bytes': number
  readonly 'reused-bytes': number
  /** A JSON list. */
  readonly files: string
}

/** GitHub lets an output of a job have 1 MB in UTF-16 (docs.github.com, "jobs.<job_id>.outputs"): two bytes a unit. */
const MAX_UNITS = 450_000

/** Says in outputs what an attempt did. `files` has the failed files first and ends where it would become too long. */
export function outputsOf({ results, deletion }: Report): Outputs {
  const totals = totalsOf(results)
  return {
    state: stateOf(totals),
    'uploaded-count': totals.uploaded,
    'resumed-count': totals.resumed,
    'skipped-count': totals.skipped,
    'failed-count': totals.failed,
    'deleted-count': deletion?.removed.length ?? 0,
    'total-bytes': totals.bytes,
    'sent-bytes': totals.sentBytes,
    'reused-bytes': totals.reusedBytes,
    files: listFiles(results)
  }
}

function listFiles(results: readonly FileResult[]): string {
  const failed = results.filter(({ status }) => status === 'failed')
  const others = results.filter(({ status }) => status !== 'failed')
  const entries: string[] = []
  let units = 2
  for (const result of [...failed, ...others]) {
    const entry = JSON.stringify(fileEntry(result))
    units += entry.length + 1
    if (units > MAX_UNITS) break
    entries.push(entry)
  }
  return `[${entries.join(',')}]`
}
