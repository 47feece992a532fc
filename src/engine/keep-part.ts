import { blockCount } from '../core/blocks.js'
import { UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import type { RemoteStat } from '../core/resume.js'
import type { RecordedTask } from './file-progress.js'
import { differsInSample } from './open-part.js'
import { verify } from './verify.js'

/**
 * Proves that the whole part file of an earlier attempt still holds the local file's bytes, without opening it for
 * writing. Returns what the server says of it.
 *
 * @throws UploadError `not-verified` when it does not.
 */
export async function keepPart(task: RecordedTask): Promise<RemoteStat> {
  const { progress, source, record, lane, attempt } = task
  const { emit, random } = attempt.world
  const path = partPath(progress.file.remote, record.partId)
  const part = await verify({
    remote: lane.remote,
    path,
    source,
    closed: undefined,
    mode: attempt.settings.verify,
    kept: record.ledger.acknowledged(),
    doubtful: [],
    random,
    emit,
    signal: attempt.signal
  })
  // Of a file of one block that was enough.
  if (blockCount(source.size) > 1 && (await differsInSample(task)))
    throw new UploadError('not-verified', `check ${path}: it does not hold the bytes that were sent`)
  return part
}
