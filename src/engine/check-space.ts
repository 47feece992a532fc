import { isTransient, UploadError } from '../core/errors.js'
import { parentOf } from '../core/plan.js'
import { formatBytes } from '../core/quantities.js'
import type { PublishMode } from './context.js'
import type { FileProgress } from './file-progress.js'
import { forEach } from './for-each.js'
import type { Remote } from './ports.js'

/**
 * What the check may be wrong by: bytes that are on the server's disk and in no ledger yet. Less than this is never
 * worth asking for.
 */
const SLACK = 64 * 1024 * 1024
const STATS_AT_ONCE = 64

/**
 * Compares what remains to be sent with what is free, where the server tells. Meant to run beside the upload: what is
 * counted is what remains when the answer is there. Says nothing where the answer cannot be had.
 *
 * @throws UploadError `no-space`
 */
export async function checkSpace(
  pending: readonly FileProgress[],
  remote: Remote,
  publish: PublishMode
): Promise<void> {
  if (remainingBytes(pending) <= SLACK) return
  const directory = commonDirectory(pending)
  const free = await freeBytes(remote, directory)
  if (free === undefined || remainingBytes(pending) <= free + SLACK) return
  // An old file makes room when the new one has its name: too late if they are all to get it together.
  const replaced = publish === 'together' ? 0 : await replacedBytes(pending, remote)
  const remaining = remainingBytes(pending)
  if (remaining - replaced <= free + SLACK) return
  const instead = replaced === 0 ? '' : `, ${formatBytes(replaced)} of it in place of older files`
  throw new UploadError(
    'no-space',
    `upload to ${directory}: ${formatBytes(remaining)} remain to be sent${instead}; the server has ${formatBytes(free)} free`
  )
}

function remainingBytes(pending: readonly FileProgress[]): number {
  return pending.reduce((sum, { file, record }) => {
    if (record?.identity.size !== file.size) return sum + file.size
    return record.published === undefined ? sum + file.size - record.ledger.acknowledgedBytes() : sum
  }, 0)
}

/** Bytes of the files that are in the places of those that are not published. */
async function replacedBytes(pending: readonly FileProgress[], remote: Remote): Promise<number> {
  let bytes = 0
  await forEach(pending, STATS_AT_ONCE, async ({ file, record }) => {
    if (record?.published !== undefined) return
    const target = await remote.stat(file.remote)
    bytes += target?.size ?? 0
  })
  return bytes
}

/** Of the directory, or of the nearest one above it that is there. */
async function freeBytes(remote: Remote, directory: string): Promise<number | undefined> {
  try {
    return await remote.freeBytes(directory)
  } catch (error) {
    if (isTransient(error) || directory === '.' || directory === '/') throw error
    return freeBytes(remote, parentOf(directory) ?? (directory.startsWith('/') ? '/' : '.'))
  }
}

function commonDirectory(files: readonly FileProgress[]): string {
  const [first = '', ...others] = files.map(({ file }) => file.remote)
  let directory = parentOf(first)
  while (directory !== undefined && !others.every(path => path.startsWith(`${directory}/`)))
    directory = parentOf(directory)
  return directory ?? (first.startsWith('/') ? '/' : '.')
}
