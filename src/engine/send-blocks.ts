import { UploadError } from '../core/errors.js'
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
export async function sendBlocks({ part, task }: OpenedPart): Promise<RemoteStat> {
  const { progress, source, record, lane, attempt } = task
  const { ledger } = record
  const { emit, random } = attempt.world
  const kept = ledger.acknowledged()
  try {
    await transfer(
      {
        source,
        ledger,
        part,
        oneLane: attempt.traits.oneLane,
        onAcknowledged: bytes => {
          progress.sentBytes += bytes
          emit({ type: 'acknowledged', file: progress.file, bytes })
        }
      },
      attempt.queue
    )
  } catch (error) {
    // Some servers acknowledge a short write when their disk is full: nothing that was in flight then is believed.
    if (error instanceof UploadError && error.code === 'no-space') ledger.forgetRecent(part.window)
    await part.close({ sync: false }).catch(() => undefined)
    throw error
  }
  let closed: RemoteStat | undefined
  try {
    closed = await part.close({ sync: attempt.settings.verify === 'full' })
  } catch (error) {
    // What a server acknowledged before it refused the close is worth nothing.
    if (error instanceof UploadError && error.code !== 'connection-lost' && error.code !== 'stalled') {
      remember(task, { ...record, ledger: new Ledger(source.size) })
    }
    throw error
  }
  const { remote } = attempt.lanes.livingOr(lane)
  const mode = attempt.settings.verify
  return verify({
    remote,
    path: part.path,
    source,
    closed,
    mode,
    kept,
    isDoubtful: part.isDoubtful,
    random,
    emit,
    signal: attempt.signal
  })
}
