import { toUploadError } from '../core/errors.js'
import type { PlannedFile } from '../core/plan.js'
import type { FileResult } from '../core/report.js'
import type { FileProgress } from './file-progress.js'
import { type Results, withheldBy } from './settle.js'

/** A file that is made of what became of the others, and uploaded when all of them are in place. */
export interface LastFile {
  readonly file: PlannedFile
  /** Writes the local file, with the size that was planned. @throws UploadError */
  readonly write: (results: readonly FileResult[]) => Promise<void>
}

/** Makes the last file and uploads it, if all others are in place. @throws UploadError as `upload` does. */
export async function uploadLast(
  last: LastFile,
  progress: FileProgress,
  results: Results,
  upload: (pending: readonly FileProgress[]) => Promise<void>
): Promise<void> {
  const failure = results.firstFailure()
  if (failure !== undefined) {
    results.finish(progress, 'failed', withheldBy(failure))
    return
  }
  try {
    // In a later attempt it is there.
    if (progress.startedMs === undefined) await last.write(results.soFar())
  } catch (error) {
    results.finish(progress, 'failed', toUploadError(error, 'source-unreadable', `write ${last.file.local}`))
    return
  }
  await upload([progress])
}
