import { isTransient, toUploadError, UploadError } from '../core/errors.js'
import type { FileResult } from '../core/report.js'
import type { Attempt } from './context.js'
import type { FileProgress } from './file-progress.js'

/** What work on a file ends with: its result, or `whole` where that has to wait for the others. */
export type Settled = Exclude<FileResult['status'], 'failed'> | 'whole'

/** What became of the files so far. */
export interface Results {
  finish(progress: FileProgress, status: FileResult['status'], error?: UploadError): void
  firstFailure(): FileResult | undefined
  /** All results so far, in the order of the plan. */
  soFar(): FileResult[]
}

/** Why a file that could be in place is not. */
export function withheldBy({ file, error }: FileResult): UploadError {
  const why = error === undefined ? 'it is not in place' : error.message
  return new UploadError('withheld', `waits for ${file.remote}: ${why}`, { cause: error })
}

/**
 * Works on a file while there is a lane, until it has a result or is whole. A failure that is the file's own is its
 * result.
 *
 * @throws UploadError when the cause is shared: no lane is left, the disk is full, the run was told to stop.
 */
export async function settle(
  results: Results,
  progress: FileProgress,
  { lanes, signal }: Attempt,
  work: () => Promise<Settled>
): Promise<void> {
  for (;;) {
    try {
      const status = await work()
      if (status !== 'whole') results.finish(progress, status)
      return
    } catch (error) {
      const failure = toUploadError(error, 'server-failure', `upload ${progress.file.local}`)
      if (isTransient(failure) && failure !== lanes.failure) continue
      signal.throwIfAborted()
      if (failure.code === 'no-space' || failure === lanes.failure) throw failure
      results.finish(progress, 'failed', failure)
      return
    }
  }
}
