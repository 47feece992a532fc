import { isRefusal, isTransient, UploadError } from '../core/errors.js'
import { formatCount } from '../core/quantities.js'
import type { RemoteStat } from '../core/resume.js'
import type { Remote } from './ports.js'

/**
 * Gives the part file its final name: in one step where the server can; else by a plain rename; and where that is
 * refused because of the old file, by moving the old one aside until the new one is in place. May be called again
 * after an answer was lost.
 *
 * `part` is what the server said of the part file: its size in bytes, its mtime in seconds since 1970. Returns what it says of the target afterwards.
 *
 * @throws UploadError `not-verified` when the target then has another size; `wrong-type` when it is a directory.
 */
export async function publish(
  remote: Remote,
  partPath: string,
  target: string,
  part: Pick<RemoteStat, 'size' | 'mtime'>
): Promise<RemoteStat> {
  // The target is asked for without waiting: servers answer in order, and only an answer that fits is believed.
  const [, early] = await Promise.all([
    remote.canReplace ? replace(remote, partPath, target) : renameOrSwap(remote, partPath, target),
    remote.stat(target).catch(() => undefined)
  ])
  const fits = early?.size === part.size && early.mtime === part.mtime
  const stat = fits ? early : await remote.stat(target)
  if (stat?.size === part.size) return stat
  const expected = formatCount(part.size, 'byte')
  const found = stat === undefined ? 'nothing' : formatCount(stat.size, 'byte')
  throw new UploadError(
    'not-verified',
    `check ${target}: the server must hold ${expected} now and holds ${found}`
  )
}

/** Where the old file is while the new one takes its place. An interrupted publication leaves it behind. */
export function backupPath(partPath: string): string {
  return `${partPath}.old`
}

/** Some servers offer `posix-rename@openssh.com` and fail at it: then as if it were not offered. */
async function replace(remote: Remote, partPath: string, target: string): Promise<void> {
  try {
    await remote.replace(partPath, target)
  } catch (error) {
    if (!isRefusal(error)) throw error
    await renameOrSwap(remote, partPath, target)
  }
}

async function renameOrSwap(remote: Remote, partPath: string, target: string): Promise<void> {
  const backup = backupPath(partPath)
  try {
    await remote.rename(partPath, target)
  } catch (error) {
    if (isTransient(error)) throw error
    const [old, part] = await Promise.all([remote.stat(target), remote.stat(partPath)])
    if (part === undefined)
      throw new UploadError('not-found', `rename ${partPath}: it is gone`, { cause: error })
    if (old === undefined) throw error
    if (old.isDirectory) {
      throw new UploadError(
        'wrong-type',
        `rename ${partPath} to ${target}: a directory of that name is in its place`,
        {
          cause: error
        }
      )
    }
    await swap(remote, partPath, target, backup)
  }
  await remote.remove(backup).catch(() => undefined)
}

async function swap(remote: Remote, partPath: string, target: string, backup: string): Promise<void> {
  // An earlier one that was cut may have left it: it is older than what is in place.
  await remote.remove(backup).catch(() => undefined)
  await remote.rename(target, backup)
  try {
    await remote.rename(partPath, target)
  } catch (error) {
    if (isTransient(error)) throw error
    await remote.rename(backup, target).catch((cause: unknown) => {
      throw new UploadError(
        'server-failure',
        `rename ${partPath} to ${target}: the old file is now ${backup}`,
        { cause }
      )
    })
    throw error
  }
}
