import { isNotFound, isRefusal } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import { parentOf } from '../core/plan.js'
import { partMode } from './attributes.js'
import { giveNewId, isTakenAway, TAKEN_AWAY } from './claim-part.js'
import { TooManyOpen } from './open-handles.js'
import { discard, refuseDirectory, startOver } from './decide.js'
import { drain } from './drain.js'
import type { RecordedTask } from './file-progress.js'
import type { Lane } from './lane.js'
import { PartFile } from './part-file.js'
import type { RemoteFile } from './ports.js'
import { holdsKeptBlocks } from './prove.js'

export interface OpenedPart {
  readonly part: PartFile
  readonly task: RecordedTask
}

/** Begins an empty part file. @throws UploadError `wrong-type` when the target is a directory. */
export async function createPart(task: RecordedTask): Promise<OpenedPart> {
  const { progress, lane, record, attempt } = task
  const { file } = progress
  const create = () => lane.remote.create(pathOf(task), partMode(task))
  const [created, looked] = await Promise.allSettled([
    attempt.directories.within(lane.remote, parentOf(file.remote), create),
    lane.remote.stat(file.remote).then(target => refuseDirectory(file, target))
  ])
  if (created.status === 'rejected') throw created.reason
  if (looked.status === 'rejected') {
    await drain([created.value.close(), discard(task, record)])
    throw looked.reason
  }
  return opened(task, created.value)
}

/**
 * Opens the part file of an earlier attempt and proves by a sample that its kept blocks are the local file's; where
 * the server cannot continue it, or the bytes are others, begins a new one.
 *
 * @throws UploadError
 */
export async function reopenPart(task: RecordedTask): Promise<OpenedPart> {
  let current = task
  let handle: RemoteFile
  try {
    current = await giveNewId(task)
    handle = await task.lane.remote.reopen(pathOf(current))
  } catch (error) {
    if (!isRefusal(error)) throw error
    const why = isTakenAway(current.record, error)
      ? TAKEN_AWAY
      : `this server does not continue a part file (${error.message})`
    return createPart(await startOver(current, why))
  }
  let wrong: string | undefined
  try {
    wrong = await whatIsWrong(current, handle)
    if (wrong === undefined) return opened(current, handle)
  } catch (error) {
    handle.close().catch(() => undefined)
    throw error
  }
  handle.close().catch(() => undefined)
  return createPart(await startOver(current, wrong))
}

async function whatIsWrong(task: RecordedTask, handle: RemoteFile): Promise<string | undefined> {
  // Some servers empty a file that is opened for writing, and say OK.
  const { size } = await handle.stat()
  if (size < task.record.ledger.acknowledgedEnd())
    return 'this server empties a part file that is opened again'
  return (await differsInSample(task)) ? 'the part file does not hold the bytes that were sent' : undefined
}

/** Whether a sample of what the part file should hold is something else. A server that lets nobody read it is one warning. */
export async function differsInSample(task: RecordedTask): Promise<boolean> {
  const { record, lane, source, attempt } = task
  const { emit, random } = attempt.world
  const path = pathOf(task)
  try {
    const reader = await lane.remote.openForReading(path)
    try {
      return !(await holdsKeptBlocks(reader, source, record.ledger, random))
    } finally {
      reader.close().catch(() => undefined)
    }
  } catch (thrown) {
    // Without another file on the lane there is nothing to wait for.
    const error = thrown instanceof TooManyOpen && lane.files <= 1 ? thrown.refusal : thrown
    if (!isRefusal(error)) throw thrown
    // It knows the name of what another session is still writing, and nothing more of it.
    if (isNotFound(error)) return true
    const text = `The server lets nobody read ${path} (${error.message}); what it acknowledged is kept unread.`
    emit({ type: 'warning', text })
    return false
  }
}

function opened(task: RecordedTask, handle: RemoteFile): OpenedPart {
  const { lane, attempt } = task
  const path = pathOf(task)
  const isShared = attempt.settings.connections > 1 && !attempt.traits.oneLane
  return {
    part: new PartFile(path, lane, handle, isShared ? canBeRead(lane, path) : Promise.resolve(false)),
    task
  }
}

async function canBeRead({ remote }: Lane, path: string): Promise<boolean> {
  try {
    const reader = await remote.openForReading(path)
    reader.close().catch(() => undefined)
    return true
  } catch {
    return false
  }
}

function pathOf({ progress, record }: RecordedTask): string {
  return partPath(progress.file.remote, record.partId)
}
