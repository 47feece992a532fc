import type { UploadError } from '../core/errors.js'
import { type Report, stateOf, totalsOf } from '../core/report.js'
import { fileEntry } from '../run/file-entry.js'

/** The report of `--json`: the outputs of the action and the errors, for a program that reads it. One line. */
export function formatJson({ results, elapsedMs, deletion }: Report, error: UploadError | undefined): string {
  const totals = totalsOf(results)
  return JSON.stringify({
    state: results.length === 0 && error !== undefined ? 'incomplete' : stateOf(totals),
    uploadedCount: totals.uploaded,
    resumedCount: totals.resumed,
    skippedCount: totals.skipped,
    failedCount: totals.failed,
    deletedCount: deletion?.removed.length ?? 0,
    totalBytes: totals.bytes,
    sentBytes: totals.sentBytes,
    reusedBytes: totals.reusedBytes,
    elapsedMs,
    error: describe(error),
    files: results.map(result => ({ ...fileEntry(result), error: describe(result.error) }))
  })
}

function describe(error: UploadError | undefined): { code: string; message: string } | undefined {
  return error === undefined ? undefined : { code: error.code, message: error.message }
}
