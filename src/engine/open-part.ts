import { isTransient, toUploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import { startOver } from './decide.js'
import type { RecordedTask } from './file-progress.js'
import { PartFile } from './part-file.js'
import type { RemoteFile } from './ports.js'
import { holdsKeptBlocks } from './prove.js'

export interface OpenedPart {
  readonly part: PartFile
  readonly task: RecordedTask
}

/** Begins an empty part file. @throws UploadError */
export async function createPart(task: RecordedTask): Promise<OpenedPart> {
  const { progress, record, lane, source, attempt } = task
  const path = partPath(progress.file.remote, record.partId)
  const handle = await lane.remote.create(path, attempt.settings.fileMode ?? source.mode)
  return { part: new PartFile(path, lane, handle), task }
}

/**
 * Opens the part file of an earlier attempt and proves by a sample that its kept blocks are the local file's; where
 * the server cannot continue it, or the bytes are others, begins a new one.
 *
 * @throws UploadError
 */
export async function reopenPart(task: RecordedTask): Promise<OpenedPart> {
  const { progress, record, lane } = task
  const path = partPath(progress.file.remote, record.partId)
  let handle: RemoteFile
  try {
    handle = await lane.remote.reopen(path)
  } catch (error) {
    if (isTransient(error)) throw error
    const { message } = toUploadError(error, 'server-failure', `open ${path}`)
    return createPart(await startOver(task, `this server does not continue a part file (${message})`))
  }
  const wrong = await whatIsWrong(task, path, handle)
  if (wrong === undefined) return { part: new PartFile(path, lane, handle), task }
  handle.close().catch(() => undefined)
  return createPart(await startOver(task, wrong))
}

async function whatIsWrong(
  task: RecordedTask,
  path: string,
  handle: RemoteFile
): Promise<string | undefined> {
  const { record, lane, source, attempt } = task
  const { ledger } = record
  const { emit, random } = attempt.world
  const needed = ledger.acknowledgedEnd()
  // Some servers empty a file that is opened for writing, and say OK.
  const { size } = await handle.stat()
  if (size < needed) return 'this server empties a part file that is opened again'
  try {
    const reader = await lane.remote.openForReading(path)
    try {
      if (!(await holdsKeptBlocks(reader, source, ledger, random))) {
        return 'the part file does not hold the bytes that were sent'
      }
    } finally {
      reader.close().catch(() => undefined)
    }
  } catch (error) {
    if (isTransient(error)) throw error
    const { message } = toUploadError(error, 'server-failure', `read ${path}`)
    const text = `The server lets nobody read ${path} (${message}); what it acknowledged is kept unread.`
    emit({ type: 'warning', text })
  }
  return undefined
}
