import { blockCount } from '../core/blocks.js'
import { isTransient, UploadError } from '../core/errors.js'
import { partPath, type Identity } from '../core/identity.js'
import { Ledger } from '../core/ledger.js'
import { decideResume, type RemoteStat, type ResumeDecision, type UploadRecord } from '../core/resume.js'
import type { FileTask, RecordedTask } from './file-progress.js'
import type { PlannedFile } from '../core/plan.js'
import { drain } from './drain.js'
import { keepMatchingBlocks } from './prove.js'
import { tailOf } from './verify.js'

/** Each attempt abandons few; older ones are removed as stale. */
const MOST_ABANDONED = 16

export interface Decided {
  readonly decision: ResumeDecision
  readonly task: RecordedTask
  /** What is in the file's place. */
  readonly target: RemoteStat | undefined
}

interface Weighed {
  readonly decision: ResumeDecision
  readonly record: UploadRecord | undefined
  readonly target: RemoteStat | undefined
  /** Bytes on the server that are kept. */
  readonly kept: number
}

/**
 * Leaves only those blocks of an earlier attempt in the record that today's local file still has. Returns what this
 * file is told from others by.
 *
 * @throws UploadError when it cannot be read.
 */
export async function proveLocally({ progress, source, attempt }: Omit<FileTask, 'lane'>): Promise<Identity> {
  const { record } = progress
  const { size, mtimeMs } = source
  const tail = blockCount(size) > 1 ? await source.digest(tailOf(size)) : undefined
  if (record?.identity.size === source.size && progress.provenVersion !== source.version) {
    const isRebuilt = await keepMatchingBlocks(record.ledger, source, attempt.signal)
    progress.provenVersion = source.version
    // What was not acknowledged may have been sent all the same: the tail tells most builds apart.
    if (isRebuilt || record.identity.tail !== tail) progress.record = { ...record, rebuilt: true }
  }
  return { size, mtimeMs, tail }
}

/**
 * Looks at what an earlier attempt left on the server, and decides how the upload goes on; the record was proven
 * before. A part file of no more use is gone from the server then.
 *
 * @throws UploadError `wrong-type` when the target is a directory.
 */
export async function decide(task: FileTask, identity: Identity): Promise<Decided> {
  const { progress, attempt } = task
  const { decision, record, target, kept } = await weigh(task, identity)
  attempt.world.emit({ type: 'decided', file: progress.file, decision, keptBytes: kept })

  if (record === undefined || decision.action === 'start') {
    const begun = begin(task, identity)
    if (decision.action === 'start' && decision.discard && record !== undefined) await discard(task, record)
    return { decision, task: begun, target }
  }
  const whole = decision.action === 'keep' || decision.action === 'confirm' ? record.whole : undefined
  return { decision, task: { ...task, record: remember(task, { ...record, identity, whole }) }, target }
}

/** Decides, and changes nothing on the server. @throws UploadError as `decide` does. */
export async function weigh(task: FileTask, identity: Identity): Promise<Weighed> {
  const { progress, lane, attempt } = task
  const { file } = progress
  const { record, part, target } = await lookAtServer(task)
  refuseDirectory(file, target)
  const { verify } = attempt.settings
  const isInReach = record?.rebuilt === true && record.lateWrites === true && !lane.remote.canCopy
  const decision = decideResume({ identity, verify, record, part, target, isInReach })
  const kept = decision.action === 'start' ? 0 : (record?.ledger.acknowledgedBytes() ?? 0)
  const isFirst = progress.startedMs === undefined
  progress.startedMs ??= attempt.world.clock.now()
  progress.reusedBytes = isFirst ? kept : Math.min(progress.reusedBytes, kept)
  return { decision, record, target, kept }
}

/** @throws UploadError `wrong-type` when a directory is where the file is to be. */
export function refuseDirectory(file: PlannedFile, target: RemoteStat | undefined): void {
  if (target?.isDirectory !== true) return
  const doing = `upload ${file.local} to ${file.remote}`
  throw new UploadError('wrong-type', `${doing}: a directory of that name is in its place`)
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

/**
 * Makes the record what is known of the file's upload from now on, and gives it back. A part file that it has no more, by
 * another name or given up, is among the abandoned ones.
 */
export function remember({ progress }: Pick<FileTask, 'progress'>, record: UploadRecord): UploadRecord {
  const before = progress.record
  const isLeft = before !== undefined && before.published === undefined && before.partId !== record.partId
  const remembered = isLeft ? withAbandoned(record, before, before.partId) : record
  progress.record = remembered
  return remembered
}

/** The record, with that part file among the abandoned ones, and with those of the record before it. */
export function withAbandoned(record: UploadRecord, before: UploadRecord, partId: string): UploadRecord {
  const abandoned = new Set([...(before.abandoned ?? []), partId])
  return { ...record, abandoned: [...abandoned].slice(-MOST_ABANDONED) }
}

function begin(task: FileTask, identity: Identity): RecordedTask {
  task.progress.provenVersion = task.source.version
  const record = { partId: task.attempt.world.newId(), identity, ledger: new Ledger(identity.size) }
  return { ...task, record: remember(task, record) }
}

interface Found {
  readonly record?: UploadRecord | undefined
  readonly part?: RemoteStat | undefined
  readonly target?: RemoteStat | undefined
}

/**
 * Without a record there is nothing to look for: a directory in the target's place shows when a large file is begun, and
 * when a small one is renamed. With `publish: together` that would be too late.
 */
async function lookAtServer({ progress, lane, attempt }: FileTask): Promise<Found> {
  const { file, record } = progress
  if (record === undefined) {
    const isLate = attempt.settings.publish === 'together' && blockCount(file.size) <= 1
    return isLate ? { target: await lane.remote.stat(file.remote) } : {}
  }
  const ids = idsOf(record)
  const look = (id: string) => lane.remote.stat(partPath(file.remote, id))
  const [parts, target] = await drain([drain(ids.map(look)), lane.remote.stat(file.remote)])
  const at = parts.findIndex(part => part !== undefined)
  const partId = ids[at]
  if (partId === undefined) return { record, target }
  const claim = partId === record.claim?.id ? undefined : record.claim
  // Whoever claimed it was killed, or lost the line, before that was saved.
  const lateWrites = partId === record.partId ? record.lateWrites : true
  return { record: { ...record, partId, claim, lateWrites }, part: parts[at], target }
}

/**
 * The ids that the part file may have, the latest first. An earlier attempt of this run, which claimed it, may have been
 * killed before it saved a checkpoint. What has the id of one's own claim is another job's where that cannot be.
 */
function idsOf({ partId, claim }: UploadRecord): string[] {
  if (claim === undefined) return [partId]
  return claim.isOwn ? [claim.id, ...claim.earlier, partId] : [...claim.earlier, partId]
}

/** Removes the record's part file. @throws UploadError `connection-lost` or `stalled`. */
export async function discard({ progress, lane }: FileTask, record: UploadRecord): Promise<void> {
  await lane.remote.remove(partPath(progress.file.remote, record.partId)).catch((error: unknown) => {
    if (isTransient(error)) throw error
  })
}
