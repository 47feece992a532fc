import { blockCount } from '../core/blocks.js'
import { isNotFound, isRefusal, UploadError } from '../core/errors.js'
import { partPath, type Identity } from '../core/identity.js'
import type { RemoteStat } from '../core/resume.js'
import { setAttributes, updateMode } from './attributes.js'
import { claimWhole } from './claim-part.js'
import type { Attempt } from './context.js'
import { decide, proveLocally, remember, startOver } from './decide.js'
import { drain } from './drain.js'
import type { FileProgress, FileTask, RecordedTask } from './file-progress.js'
import { JoinSpoiledPart } from './join-part.js'
import { keepPart } from './keep-part.js'
import { createPart, reopenPart } from './open-part.js'
import { publishWhole, rememberPublished } from './publish-whole.js'
import { holdsSameBytes } from './same-bytes.js'
import { sendBlocks } from './send-blocks.js'
import { sendWhole } from './send-whole.js'
import { beginWholeDigest, noteUnchangedDigest, noteWholeDigest } from './whole-digest.js'

/** What a file begins with: nothing, some of its blocks, or a part file that is whole. */
type Beginning = 'start' | 'continue' | 'keep'

/**
 * Brings one file to the server: decide → transfer → verify → publish. With `publish: together` it ends before the
 * publication, with `progress.whole`. What is reached stays in `progress`, for the next attempt.
 *
 * @throws UploadError
 */
export async function uploadFile(
  progress: FileProgress,
  attempt: Attempt
): Promise<'uploaded' | 'skipped' | 'whole'> {
  const source = await attempt.world.openSource(progress.file)
  try {
    // Before a lane is taken: the first may still be connecting.
    const identity = await proveLocally({ progress, source, attempt })
    return await attempt.lanes.use(async lane => {
      const { world, lanes } = attempt
      const begunMs = world.clock.now()
      const outcome = await uploadOver({ progress, source, lane, attempt }, identity)
      if (outcome !== 'skipped') lanes.pace.noteFile(world.clock.now() - begunMs)
      return outcome
    })
  } finally {
    await source.close()
  }
}

async function uploadOver(file: FileTask, identity: Identity): Promise<'uploaded' | 'skipped' | 'whole'> {
  const { decision, task, target } = await decide(file, identity)
  file.attempt.staleParts.look(file.lane.remote, file.progress.file.remote)
  beginWholeDigest(task)
  switch (decision.action) {
    case 'skip':
      await drain([noteUnchangedDigest(task), updateMode(task, target)])
      return 'skipped'
    case 'confirm':
      if (await wasPublished(task)) await noteUnchangedDigest(task)
      else await sendAgainIfWrong(await startOver(task, 'its rename did not happen'), 'start')
      break
    case 'start':
    case 'continue':
    case 'keep':
      await sendAgainIfWrong(task, decision.action)
  }
  return file.progress.whole === undefined ? 'uploaded' : 'whole'
}

/** What the server holds can turn out to be wrong: then all of it is sent again, once. */
async function sendAgainIfWrong(task: RecordedTask, beginning: Beginning): Promise<void> {
  const { progress, attempt } = task
  try {
    await sendAndPublish(task, beginning)
  } catch (error) {
    if (error instanceof JoinSpoiledPart) {
      attempt.traits.oneLane = true
      await sendAndPublish(await startOver(task, 'this server takes one writer a file'), 'start')
    } else if (error instanceof UploadError && error.code === 'not-verified' && !progress.sentAgain) {
      progress.sentAgain = true
      await sendAndPublish(await startOver(task, error.message), 'start')
    } else if (!(await wasLate(error, task))) {
      throw error
    }
  }
}

/** The rename of an earlier attempt, whose answer was lost, took the part file away after it was looked at. */
async function wasLate(error: unknown, task: RecordedTask): Promise<boolean> {
  const { record } = task.progress
  if (!isNotFound(error) || record?.publishing !== true) return false
  return wasPublished({ ...task, record })
}

async function sendAndPublish(task: RecordedTask, beginning: Beginning): Promise<void> {
  if (beginning === 'keep') {
    const claimed = await claimWhole(task)
    await becomeWhole(claimed, await keepPart(claimed))
  } else if (beginning === 'start' && blockCount(task.source.size) <= 1) {
    await becomeWhole(task, await sendWhole(task))
  } else {
    const opened = beginning === 'continue' ? await reopenPart(task) : await createPart(task)
    await becomeWhole(opened.task, await sendBlocks(opened))
  }
  const { progress, lane, attempt } = task
  if (attempt.settings.publish === 'each') await publishWhole(progress, lane, attempt)
}

/** The last steps before the final name: from here on the part file is only renamed. */
async function becomeWhole(task: RecordedTask, part: RemoteStat): Promise<void> {
  const { progress, source, record, attempt } = task
  await noteWholeDigest(task)
  await source.confirmUnchanged()
  const { remote } = attempt.lanes.livingOr(task.lane)
  const path = partPath(progress.file.remote, record.partId)
  await attempt.namesakes.expectApart(remote, progress.file, record.partId)
  const { mtime } = await setAttributes(task, remote, path, part)
  remember(task, { ...record, whole: true })
  progress.whole = { mtime, version: source.version }
}

/** Whether a rename whose answer was lost has happened: only reading all of it tells the new file from an old one that is alike. */
async function wasPublished(task: RecordedTask): Promise<boolean> {
  const { progress, source, lane, attempt } = task
  const target = progress.file.remote
  try {
    const looking = lane.remote.stat(target)
    looking.catch(() => undefined)
    const file = await lane.remote.openForReading(target)
    const same = await holdsSameBytes(file, source, [{ offset: 0, length: source.size }]).finally(() => {
      file.close().catch(() => undefined)
    })
    const stat = await looking
    if (!same || stat?.size !== source.size) return false
    // Another run may have put the same bytes in place: then the part file is still there.
    const { abandoned = [], partId } = task.record
    rememberPublished(task, task.record, stat)
    attempt.staleParts.sweep(lane.remote, target, [...abandoned, partId])
    return true
  } catch (error) {
    if (!isRefusal(error)) throw error
    return false
  }
}
