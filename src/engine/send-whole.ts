import { blockRange, splitRange } from '../core/blocks.js'
import { UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import type { RemoteStat } from '../core/resume.js'
import type { RecordedTask } from './file-progress.js'
import type { RemoteFile } from './ports.js'
import { verify } from './verify.js'

/**
 * Sends a file of at most one block: everything up to the close in one go, without waiting for an answer in between.
 * Servers that get this wrong are asked again one by one, for the rest of the run. Returns what the server says of
 * the part file.
 *
 * @throws UploadError
 */
export async function sendWhole(task: RecordedTask): Promise<RemoteStat> {
  const { traits } = task.attempt
  if (!traits.inOrder) return send(task, false)
  try {
    return await send(task, true)
  } catch (error) {
    if (!(error instanceof UploadError) || error.code !== 'server-failure') throw error
    const stat = await send(task, false)
    traits.inOrder = false
    return stat
  }
}

async function send(task: RecordedTask, inOrder: boolean): Promise<RemoteStat> {
  const { progress, source, record, lane, attempt } = task
  const { emit, random } = attempt.world
  const { remote } = lane
  const mode = attempt.settings.verify
  const path = partPath(progress.file.remote, record.partId)
  const part = await remote.create(path, attempt.settings.fileMode ?? source.mode)
  const answers = await write(task, part)
  if (!inOrder) await Promise.all(answers)
  const synced = mode === 'full' ? part.sync() : undefined
  const [stat] = await Promise.all([part.stat(), synced, part.close(), ...answers])

  progress.sentBytes += source.size
  progress.steps++
  emit({ type: 'acknowledged', file: progress.file, bytes: source.size })
  if (stat.size === source.size && (mode === 'size' || mode === 'timestamp')) return stat
  return verify({ remote, path, source, mode, kept: [], random, emit })
}

async function write({ source, record, lane }: RecordedTask, part: RemoteFile): Promise<Promise<void>[]> {
  if (source.size === 0) return []
  const stream = source.stream(blockRange(source.size, 0))
  const answers: Promise<void>[] = []
  let offset = 0
  for await (const slice of stream.slices) {
    for (const chunk of splitRange({ offset: 0, length: slice.length }, lane.remote.chunkSize)) {
      const bytes = slice.subarray(chunk.offset, chunk.offset + chunk.length)
      const { acknowledged } = await lane.send(part, bytes, offset + chunk.offset)
      answers.push(acknowledged)
    }
    offset += slice.length
  }
  answers.push(
    Promise.all(answers).then(async () => {
      record.ledger.acknowledge(0, await stream.digest())
    })
  )
  return answers
}
