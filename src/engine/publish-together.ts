import { toUploadError, UploadError } from '../core/errors.js'
import type { FileResult } from '../core/report.js'
import type { Attempt } from './context.js'
import type { FileProgress } from './file-progress.js'
import { forEach } from './for-each.js'
import { publishWhole } from './publish-whole.js'
import { settle, type Results, type Settled, withheldBy } from './settle.js'
import { uploadFile } from './upload-file.js'

/** Local files that are looked at again at the same time. */
const LOOKS_AT_ONCE = 64
/** After a cut, every rename that was on its way has to be settled by reading. */
const RENAMES_AT_ONCE = 256

export interface Publication extends Results {
  /** The first rename was asked for. */
  begun: boolean
  /** Called before the first rename. */
  onPublishing(): void
}

/**
 * The end of `publish: together`: renames all files that are whole, if no other one failed; otherwise none. Once it
 * has begun, neither a failure nor a signal to stop holds renames up: the less is left, the better.
 *
 * @throws UploadError as `settle` does.
 */
export async function publishTogether(
  publication: Publication,
  pending: readonly FileProgress[],
  attempt: Attempt
): Promise<void> {
  const whole = pending.filter(progress => progress.whole !== undefined)
  await forEach(whole, LOOKS_AT_ONCE, progress => failIfChanged(progress, publication, attempt))
  if (whole.length === 0) return
  attempt.signal.throwIfAborted()
  const failure = publication.firstFailure()
  if (publication.begun || failure === undefined) {
    publication.begun = true
    publication.onPublishing()
    await forEach(whole, RENAMES_AT_ONCE, progress =>
      settle(publication, progress, attempt, () => publishOrUpload(progress, attempt))
    )
  } else {
    withhold(publication, failure, whole)
  }
}

/** The local file was closed since, and may be another one now. */
async function failIfChanged(
  progress: FileProgress,
  publication: Publication,
  { world, signal }: Attempt
): Promise<void> {
  signal.throwIfAborted()
  const { file, whole } = progress
  try {
    const source = await world.openSource(file)
    await source.close()
    if (source.version !== whole?.version)
      throw new UploadError('source-changed', `${file.local} changed after it was sent`)
  } catch (error) {
    progress.whole = undefined
    publication.finish(progress, 'failed', toUploadError(error, 'source-unreadable', `read ${file.local}`))
  }
}

/** A file whose rename went wrong is looked at anew. */
async function publishOrUpload(progress: FileProgress, attempt: Attempt): Promise<Settled> {
  const each: Attempt = { ...attempt, settings: { ...attempt.settings, publish: 'each' } }
  if (progress.whole === undefined) return uploadFile(progress, each)
  try {
    await attempt.lanes.use(lane => publishWhole(progress, lane, attempt))
    return 'uploaded'
  } catch (error) {
    const isDoubtful = error instanceof UploadError && /^not-(?:verified|found)$/.test(error.code)
    if (!isDoubtful || progress.sentAgain) throw error
    progress.sentAgain = true
    return uploadFile(progress, each)
  }
}

function withhold(publication: Publication, failure: FileResult, whole: readonly FileProgress[]): void {
  const error = withheldBy(failure)
  for (const progress of whole)
    if (progress.whole !== undefined) publication.finish(progress, 'failed', error)
}
