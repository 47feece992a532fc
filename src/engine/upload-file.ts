import { blockCount } from '../core/blocks.js'
import { isRefusal, UploadError } from '../core/errors.js'
import { partPath, type Identity } from '../core/identity.js'
import type { RemoteStat } from '../core/resume.js'
import { setAttributes } from './attributes.js'
import type { Attempt } from './context.js'
import { decide, proveLocally, remember, startOver } from './decide.js'
import { drain } from './drain.js'
import type { FileProgress, FileTask, RecordedTask } from './file-progress.js'
import { JoinSpoiledPart } from './join-part.js'
import { createPart, reopenPart } from './open-part.js'
import { backupPath, publish } from './publish.js'
import { holdsSameBytes } from './same-bytes.js'
import { sendBlocks } from './send-blocks.js'
import { sendWhole } from './send-whole.js'

/**
 * Brings one file to the server: decide → transfer → verify → publish. What is reached stays in `progress`, for the
 * next attempt.
 *
 * @throws UploadError
 */
export async function uploadFile(progress: FileProgress, attempt: Attempt): Promise<'uploaded' | 'skipped'> {
  const source = await attempt.world.openSource(progress.file)
  try {
    // Before a lane is taken: the first may still be connecting.
    const identity = await proveLocally({ progress, source, attempt })
    return await attempt.lanes.use(lane => uploadOver({ progress, source, lane, attempt }, identity))
  } finally {
    await source.close()
  }
}

async function uploadOver(file: FileTask, identity: Identity): Promise<'uploaded' | 'skipped'> {
  const { decision, task } = await decide(file, identity)
  file.attempt.staleParts.look(file.lane.remote, file.progress.file.remote)
  switch (decision.action) {
    case 'skip':
      return 'skipped'
    case 'confirm':
      if (!(await wasPublished(task))) {
        await sendAgainIfWrong(await startOver(task, 'its rename did not happen'), false)
      }
      break
    case 'start':
    case 'continue':
      await sendAgainIfWrong(task, decision.action === 'continue')
  }
  return 'uploaded'
}

/** What the server holds can turn out to be wrong: then all of it is sent again, once. */
async function sendAgainIfWrong(task: RecordedTask, continues: boolean): Promise<void> {
  const { progress, attempt } = task
  try {
    await sendAndPublish(task, continues)
  } catch (error) {
    if (error instanceof JoinSpoiledPart) {
      attempt.traits.oneLane = true
      await sendAndPublish(await startOver(task, 'this server takes one writer a file'), false)
    } else if (error instanceof UploadError && error.code === 'not-verified' && !progress.sentAgain) {
      progress.sentAgain = true
      await sendAndPublish(await startOver(task, error.message), false)
    } else {
      throw error
    }
  }
}

async function sendAndPublish(task: RecordedTask, continues: boolean): Promise<void> {
  if (!continues && blockCount(task.source.size) <= 1) {
    await giveFinalName(task, await sendWhole(task))
  } else {
    const opened = continues ? await reopenPart(task) : await createPart(task)
    await giveFinalName(opened.task, await sendBlocks(opened))
  }
}

async function giveFinalName(task: RecordedTask, part: RemoteStat): Promise<void> {
  const { progress, source, record, attempt } = task
  await source.confirmUnchanged()
  const { remote } = attempt.lanes.livingOr(task.lane)
  const target = progress.file.remote
  const path = partPath(target, record.partId)
  const attributed = await setAttributes(task, remote, path, part)
  remember(task, { ...record, publishing: true })
  rememberPublished(task, await publish(remote, path, target, attributed))
  attempt.staleParts.sweep(remote, target)
}

/** Whether a rename whose answer was lost has happened: only reading all of it tells the new file from an old one that is alike. */
async function wasPublished(task: RecordedTask): Promise<boolean> {
  const { progress, source, lane } = task
  const target = progress.file.remote
  try {
    const [file, stat] = await drain([lane.remote.openForReading(target), lane.remote.stat(target)])
    const same = await holdsSameBytes(file, source, [{ offset: 0, length: source.size }])
    file.close().catch(() => undefined)
    if (!same || stat === undefined) return false
    rememberPublished(task, stat)
    await lane.remote.remove(backupPath(partPath(target, task.record.partId))).catch(() => undefined)
    return true
  } catch (error) {
    if (!isRefusal(error)) throw error
    return false
  }
}

function rememberPublished(task: RecordedTask, { size, mtime }: RemoteStat): void {
  remember(task, { ...task.record, publishing: undefined, published: { size, mtime } })
}
