import { UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import type { RemoteStat, UploadRecord } from '../core/resume.js'
import type { Attempt } from './context.js'
import { remember } from './decide.js'
import type { FileProgress, FileTask } from './file-progress.js'
import type { Lane } from './lane.js'
import { publish } from './publish.js'

/**
 * Gives the whole part file of a file its final name. When it throws, the file is not `whole` any more: what became of
 * the rename has to be found out first.
 *
 * @throws UploadError
 */
export async function publishWhole(progress: FileProgress, lane: Lane, attempt: Attempt): Promise<void> {
  const { file, record, whole } = progress
  if (record === undefined || whole === undefined)
    throw new UploadError('not-verified', `publish ${file.remote}: it is not whole`)
  const { remote } = attempt.lanes.livingOr(lane)
  progress.whole = undefined
  const publishing = remember({ progress }, { ...record, publishing: true })
  const part = { size: file.size, mtime: whole.mtime }
  const stat = await publish(remote, partPath(file.remote, record.partId), file.remote, part)
  rememberPublished({ progress }, publishing, stat)
  attempt.staleParts.sweep(remote, file.remote, publishing.abandoned)
}

/** Records what the server says of the target that has the file's bytes. */
export function rememberPublished(
  task: Pick<FileTask, 'progress'>,
  record: UploadRecord,
  { size, mtime }: Pick<RemoteStat, 'size' | 'mtime'>
): void {
  task.progress.whole = undefined
  remember(task, {
    ...record,
    whole: undefined,
    publishing: undefined,
    lateWrites: undefined,
    abandoned: undefined,
    published: { size, mtime }
  })
}
