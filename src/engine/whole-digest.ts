import { blockCount } from '../core/blocks.js'
import { abortable } from './abortable.js'
import type { RecordedTask } from './file-progress.js'

/** Begins to hash the whole file where that is wanted, while it is sent. */
export function beginWholeDigest(task: RecordedTask): void {
  if (task.attempt.settings.wholeDigests && !isInLedger(task))
    task.source.wholeDigest().catch(() => undefined)
}

/** Notes the digest of the whole file where it is wanted, or known because it was verified. @throws UploadError */
export async function noteWholeDigest(task: RecordedTask): Promise<void> {
  const { progress, source, attempt } = task
  const { wholeDigests, verify } = attempt.settings
  if (isInLedger(task) || !(wholeDigests || verify === 'full')) return
  progress.digest = await abortable(source.wholeDigest(), attempt.signal)
}

/** The same for a file that is in place already, where it is wanted. @throws UploadError */
export async function noteUnchangedDigest(task: RecordedTask): Promise<void> {
  if (!task.attempt.settings.wholeDigests) return
  await noteWholeDigest(task)
  await task.source.confirmUnchanged()
}

/** The digest of the only block is that of the file. */
function isInLedger({ source }: RecordedTask): boolean {
  return blockCount(source.size) === 1
}
