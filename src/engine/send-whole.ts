import { UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import { parentOf } from '../core/plan.js'
import type { Digest } from '../core/ledger.js'
import type { RemoteStat } from '../core/resume.js'
import { partMode } from './attributes.js'
import { drain } from './drain.js'
import type { RecordedTask } from './file-progress.js'
import type { RemoteFile } from './ports.js'
import { sendRange } from './send-range.js'
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
  if (!traits.inOrder) return send(task, 'one-by-one')
  try {
    return await send(task, 'at-once')
  } catch (error) {
    if (!(error instanceof UploadError) || error.code !== 'server-failure') throw error
    const stat = await send(task, 'one-by-one')
    traits.inOrder = false
    return stat
  }
}

async function send(task: RecordedTask, requests: 'at-once' | 'one-by-one'): Promise<RemoteStat> {
  const { progress, source, record, lane, attempt } = task
  const { emit, random } = attempt.world
  const { remote } = lane
  const mode = attempt.settings.verify
  const path = partPath(progress.file.remote, record.partId)
  // Creating empties what an earlier try had written.
  record.ledger.forget(0)
  const create = () => remote.create(path, partMode(task))
  const part = await attempt.directories.within(remote, parentOf(progress.file.remote), create)
  const acknowledged = await orClose(part, handOver(task, part))
  const sync = () => (mode === 'full' ? part.sync() : Promise.resolve())
  let stat: RemoteStat
  let digest: Digest | undefined
  if (requests === 'at-once') {
    ;[stat, , , digest] = await drain([part.stat(), sync(), part.close(), acknowledged()])
  } else {
    digest = await orClose(part, acknowledged())
    stat = await orClose(part, part.stat())
    await orClose(part, sync())
    await part.close()
  }

  if (digest !== undefined) record.ledger.acknowledge(0, digest)
  progress.sentBytes += source.size
  emit({ type: 'acknowledged', file: progress.file, bytes: source.size })
  return verify({
    remote,
    path,
    source,
    closed: stat,
    mode,
    kept: [],
    doubtful: [],
    random,
    emit,
    signal: attempt.signal
  })
}

async function handOver(
  { source, lane }: RecordedTask,
  handle: RemoteFile
): Promise<() => Promise<Digest | undefined>> {
  if (source.size === 0) return () => Promise.resolve(undefined)
  const range = { offset: 0, length: source.size }
  return sendRange({ source, range, lane, handle, onAcknowledged: () => undefined })
}

/** What is asked of an open file; when it fails, the file is closed. */
async function orClose<T>(file: RemoteFile, asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    file.close().catch(() => undefined)
    throw error
  }
}
