import { blockCount } from '../core/blocks.js'
import type { UploadError } from '../core/errors.js'
import type { FileResult } from '../core/report.js'
import type { FileProgress } from './file-progress.js'

/** What became of a file, and what a re-run will find of it; `nowMs` as `FileProgress.startedMs`. */
export function resultOf(
  progress: FileProgress,
  status: FileResult['status'],
  nowMs: number,
  error: UploadError | undefined
): FileResult {
  const { file, record, sentBytes, reusedBytes, startedMs } = progress
  const isUnfinished = status === 'failed' && record?.published === undefined
  const canContinue = blockCount(file.size) > 1 || record?.whole === true
  const isInPlace = status === 'uploaded' || status === 'skipped'
  const known = blockCount(file.size) === 1 ? record?.ledger.digestOf(0) : progress.digest
  return {
    file,
    status,
    sentBytes,
    reusedBytes,
    elapsedMs: nowMs - (startedMs ?? nowMs),
    digest: isInPlace ? known : undefined,
    error,
    continuesWith: isUnfinished && canContinue ? record?.ledger.acknowledgedBytes() : undefined
  }
}
