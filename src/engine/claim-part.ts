import type { Claim } from '../core/claim.js'
import { isRefusal, isTransient, UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import type { UploadRecord } from '../core/resume.js'
import { partMode } from './attributes.js'
import { discard, remember, withAbandoned } from './decide.js'
import type { RecordedTask } from './file-progress.js'

/** Why an upload starts over whose part file was there and cannot be claimed. */
export const TAKEN_AWAY = 'another job goes on with its part file'

/**
 * Gives the part file a new id where the old name could do harm: where another job may have loaded the same state, and
 * would write into the same file (only one of two renames finds it); before it gets bytes that a saved state does not
 * know of (if that state came back, it would claim blocks that were written over since); and where the rename to the
 * target may still be on its way (a server that empties a file when it is opened again would publish it empty).
 *
 * Before it gets other bytes it is copied where the server can do that: a dead session that the server still holds
 * open may have other bytes on their way, and its handle follows the file wherever that is renamed to. (Elsewhere the
 * decision was not to go on with it where such a session is to be expected.)
 *
 * @throws UploadError when it must not be gone on with.
 */
export async function giveNewId(task: RecordedTask): Promise<RecordedTask> {
  const { record, lane, attempt } = task
  if (record.rebuilt === true)
    return lane.remote.canCopy ? copyPart(task) : renamePart(task, attempt.world.newId())
  if (record.claim !== undefined) return claimPart(task, record.claim)
  if (record.publishing !== true) return task
  try {
    return await renamePart(task, attempt.world.newId())
  } catch (error) {
    // A server that refuses this rename refuses the late one, too.
    if (!isRefusal(error)) throw error
    return task
  }
}

/**
 * Claims a part file that is whole, and will only be renamed: where the server refuses that, it refuses it to all.
 *
 * @throws UploadError `not-verified` when another job has it.
 */
export async function claimWhole(task: RecordedTask): Promise<RecordedTask> {
  const { record } = task
  if (record.claim === undefined) return task
  try {
    return await claimPart(task, record.claim)
  } catch (error) {
    if (!isRefusal(error)) throw error
    if (isTakenAway(record, error)) throw new UploadError('not-verified', TAKEN_AWAY, { cause: error })
    return task
  }
}

/** Whether the refusal to rename the part file of that record says that another job was faster. */
export function isTakenAway({ claim }: UploadRecord, error: UploadError): boolean {
  return claim !== undefined && error.code === 'not-found'
}

/** @throws UploadError when the server refuses it, or the answer is lost: then a later look at the server finds it. */
async function claimPart(task: RecordedTask, claim: Claim): Promise<RecordedTask> {
  try {
    return await renamePart(task, claim.id)
  } catch (error) {
    if (isTransient(error)) remember(task, { ...task.record, claim: { ...claim, isOwn: true } })
    throw error
  }
}

async function renamePart(task: RecordedTask, partId: string): Promise<RecordedTask> {
  const { progress, record, lane } = task
  const pathOf = (id: string) => partPath(progress.file.remote, id)
  await lane.remote.rename(pathOf(record.partId), pathOf(partId))
  return goOnWith(task, partId)
}

/** The part file has that id from now on. */
function goOnWith(task: RecordedTask, partId: string): RecordedTask {
  const record = { ...task.record, partId, claim: undefined, rebuilt: undefined, publishing: undefined }
  return { ...task, record: remember(task, record) }
}

/** Goes on with a copy of what is kept of the part file, which is removed. */
async function copyPart(task: RecordedTask): Promise<RecordedTask> {
  const { progress, record, lane, attempt } = task
  const partId = attempt.world.newId()
  const pathOf = (id: string) => partPath(progress.file.remote, id)
  try {
    await lane.remote.copy(
      pathOf(record.partId),
      pathOf(partId),
      record.ledger.acknowledgedRanges(),
      partMode(task)
    )
  } catch (error) {
    // A dead session may still make it.
    remember(task, withAbandoned(record, record, partId))
    if (!(error instanceof UploadError) || isTransient(error)) throw error
    await discard(task, { ...record, partId })
    throw error.code === 'no-space'
      ? new UploadError('server-failure', error.message, { cause: error })
      : error
  }
  const next = goOnWith({ ...task, record: { ...record, lateWrites: undefined } }, partId)
  await discard(next, record)
  return next
}
