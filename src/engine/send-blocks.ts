import { isRefusal, isTransient, UploadError } from '../core/errors.js'
import { Ledger } from '../core/ledger.js'
import type { RemoteStat } from '../core/resume.js'
import { remember } from './decide.js'
import type { OpenedPart } from './open-part.js'
import { transfer } from './transfer.js'
import { verify } from './verify.js'

/**
 * Sends what the part file misses, closes it and verifies it. Returns what the server says of it.
 *
 * @throws UploadError, JoinSpoiledPart
 */
export async function sendBlocks(opened: OpenedPart): Promise<RemoteStat> {
  const { part, task } = opened
  const { source, record, lane, attempt } = task
  const { emit, random } = attempt.world
  const { verify: mode } = attempt.settings
  const kept = record.ledger.acknowledged()
  const closed = await sendMissing(opened).catch((error: unknown) => {
    // Servers that cannot continue a part file say so at the opening, at the first write, or at the close.
    if (kept.length === 0 || !isRefusal(error)) throw error
    throw new UploadError('not-verified', `this server does not continue a part file (${error.message})`, {
      cause: error
    })
  })
  const { remote } = attempt.lanes.livingOr(lane)
  const { path, doubtful } = part
  const { signal } = attempt
  return verify({ remote, path, source, closed, mode, kept, doubtful, random, emit, signal })
}

async function sendMissing({ part, task }: OpenedPart): Promise<RemoteStat | undefined> {
  const { progress, source, record, attempt } = task
  const { ledger } = record
  const { oneLane } = attempt.traits
  const onAcknowledged = (bytes: number) => {
    progress.sentBytes += bytes
    attempt.world.emit({ type: 'acknowledged', file: progress.file, bytes })
  }
  try {
    await transfer({ source, ledger, part, oneLane, onAcknowledged }, attempt.queue)
  } catch (error) {
    // Some servers acknowledge a short write when their disk is full: nothing that was in flight then is believed.
    if (error instanceof UploadError && error.code === 'no-space') ledger.forgetRecent(part.window)
    await part.close({ sync: false }).catch(() => undefined)
    throw error
  }
  try {
    return await part.close({ sync: attempt.settings.verify === 'full' })
  } catch (error) {
    // What a server acknowledged before it refused the close is worth nothing.
    if (!isTransient(error)) remember(task, { ...record, ledger: new Ledger(source.size) })
    throw error
  }
}
