import { blockCount } from '../core/blocks.js'
import { isTransient, UploadError } from '../core/errors.js'
import { partPath, type Identity } from '../core/identity.js'
import { Ledger } from '../core/ledger.js'
import { decideResume, type RemoteStat, type ResumeDecision, type UploadRecord } from '../core/resume.js'
import type { FileTask, RecordedTask } from './file-progress.js'
import type { Source } from './ports.js'
import { keepMatchingBlocks } from './prove.js'
import { tailOf } from './verify.js'

export interface Decided {
  readonly decision: ResumeDecision
  readonly task: RecordedTask
}

/**
 * Looks at what an earlier attempt left, here and on the server, and decides how the upload goes on. Blocks that
 * today's local file does not have are gone from the ledger then, and a part file of no more use from the server.
 *
 * @throws UploadError `wrong-type` when the target is a directory.
 */
export async function decide(task: FileTask): Promise<Decided> {
  const { progress, source, attempt } = task
  const { file } = progress
  const record = await proveLocally(task)
  const { part, target } = await lookAtServer(task)
  if (target?.isDirectory === true) {
    const doing = `upload ${file.local} to ${file.remote}`
    throw new UploadError('wrong-type', `${doing}: a directory of that name is in its place`)
  }
  const identity = await identityOf(source)
  const decision = decideResume({ identity, verify: attempt.settings.verify, record, part, target })
  const kept = decision.action === 'start' ? 0 : (record?.ledger.acknowledgedBytes() ?? 0)
  const isFirst = progress.startedMs === undefined
  progress.startedMs ??= attempt.world.clock.now()
  progress.reusedBytes = isFirst ? kept : Math.min(progress.reusedBytes, kept)
  attempt.world.emit({ type: 'decided', file, decision, keptBytes: kept })

  if (record === undefined || decision.action === 'start') {
    const begun = begin(task, identity)
    if (decision.action === 'start' && decision.discard && record !== undefined) await discard(task, record)
    return { decision, task: begun }
  }
  return { decision, task: { ...task, record: remember(task, { ...record, identity }) } }
}

/** Gives the upload up that was begun last, and begins it anew with a part file of its own. */
export async function startOver(task: RecordedTask, why: string): Promise<RecordedTask> {
  const { progress, attempt } = task
  const record = progress.record ?? task.record
  progress.reusedBytes = 0
  const decision = { action: 'start', why, discard: true } as const
  attempt.world.emit({ type: 'decided', file: progress.file, decision, keptBytes: 0 })
  const begun = begin(task, record.identity)
  await discard(task, record)
  return begun
}

export function remember({ progress }: FileTask, record: UploadRecord): UploadRecord {
  progress.record = record
  return record
}

function begin(task: FileTask, identity: Identity): RecordedTask {
  task.progress.provenMtimeMs = identity.mtimeMs
  const record = { partId: task.attempt.world.newId(), identity, ledger: new Ledger(identity.size) }
  return { ...task, record: remember(task, record) }
}

/** Leaves only blocks in the ledger that today's local file still has. */
async function proveLocally(task: FileTask): Promise<UploadRecord | undefined> {
  const { progress, source, attempt } = task
  const { record } = progress
  if (record?.identity.size !== source.size || progress.provenMtimeMs === source.mtimeMs) return record
  const isRebuilt = await keepMatchingBlocks(record.ledger, source, attempt.signal)
  progress.provenMtimeMs = source.mtimeMs
  return isRebuilt ? remember(task, { ...record, rebuilt: true }) : record
}

interface Found {
  readonly part?: RemoteStat | undefined
  readonly target?: RemoteStat | undefined
}

/** A small file without a record is sent without a look: a directory in its place shows when it is renamed. */
async function lookAtServer({ progress, lane }: FileTask): Promise<Found> {
  const { file, record } = progress
  if (record === undefined && blockCount(file.size) <= 1) return {}
  const [part, target] = await Promise.all([
    record === undefined ? undefined : lane.remote.stat(partPath(file.remote, record.partId)),
    lane.remote.stat(file.remote)
  ])
  return { part, target }
}

async function identityOf(source: Source): Promise<Identity> {
  const { size, mtimeMs } = source
  return { size, mtimeMs, tail: blockCount(size) > 1 ? await source.digest(tailOf(size)) : undefined }
}

async function discard({ progress, lane }: FileTask, record: UploadRecord): Promise<void> {
  await lane.remote.remove(partPath(progress.file.remote, record.partId)).catch((error: unknown) => {
    if (isTransient(error)) throw error
  })
}
