import { isTransient, UploadError } from '../core/errors.js'
import { partPath } from '../core/identity.js'
import type { Ledger } from '../core/ledger.js'
import { directoryOf, type PlannedFile } from '../core/plan.js'
import { formatBytes } from '../core/quantities.js'
import type { UploadRecord } from '../core/resume.js'
import type { PublishMode } from './context.js'
import type { FileProgress } from './file-progress.js'
import { forEach } from './for-each.js'
import type { Remote } from './ports.js'

/**
 * What the check may be wrong by: bytes that are on the server's disk and in no ledger yet. Less than this is never
 * worth asking for.
 */
const SLACK = 64 * 1024 * 1024
const ASKED_AT_ONCE = 64

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
  const ledgers = pending.map(ledgerOf)
  let free = await freeBytes(remote, directory)
  if (free === undefined || remainingBytes(pending) <= free + SLACK) return
  if (!(await areOneFileSystem(pending, remote, directory))) return
  const replaced = await replacedBytes(pending, remote, publish)
  // A part file that was given up meanwhile is not replaced any more, and has left its room.
  if (pending.some((progress, at) => ledgers[at] !== undefined && ledgerOf(progress) !== ledgers[at]))
    free = (await freeBytes(remote, directory)) ?? Infinity
  const remaining = remainingBytes(pending)
  if (remaining - replaced <= free + SLACK) return
  const instead = replaced === 0 ? '' : `, ${formatBytes(replaced)} of it in place of what is there`
  throw new UploadError(
    'no-space',
    `upload to ${directory}: ${formatBytes(remaining)} remain to be sent${instead}; the server has ${formatBytes(free)} free`
  )
}

function ledgerOf({ record }: FileProgress): Ledger | undefined {
  return record?.ledger
}

function remainingBytes(pending: readonly FileProgress[]): number {
  return pending.reduce((sum, progress) => sum + remainingOf(progress), 0)
}

function remainingOf({ file, record }: Pick<FileProgress, 'file' | 'record'>): number {
  if (record?.identity.size !== file.size) return file.size
  return record.published === undefined ? file.size - record.ledger.acknowledgedBytes() : 0
}

/** Whether the files go to one file system, as far as their directories' free space tells: then one number counts for all. */
async function areOneFileSystem(
  pending: readonly FileProgress[],
  remote: Remote,
  directory: string
): Promise<boolean> {
  const others = new Set(pending.map(({ file }) => directoryOf(file.remote)))
  others.delete(directory)
  if (others.size === 0) return true
  let least = Infinity
  let most = 0
  await forEach([directory, ...others], ASKED_AT_ONCE, async each => {
    const free = (await freeBytes(remote, each)) ?? Infinity
    least = Math.min(least, free)
    most = Math.max(most, free)
  })
  return most - least <= SLACK
}

/** Bytes on the disk that what remains takes the place of. */
async function replacedBytes(
  pending: readonly FileProgress[],
  remote: Remote,
  publish: PublishMode
): Promise<number> {
  let bytes = 0
  await forEach(pending, ASKED_AT_ONCE, async ({ file, record }) => {
    if (remainingOf({ file, record }) === 0) return
    // An old file makes room when the new one has its name: too late if they are all to get it together.
    const target = publish === 'together' ? undefined : await remote.stat(file.remote)
    const writtenOver = await writtenOverBytes(file, record, remote)
    bytes += (target?.size ?? 0) + writtenOver
  })
  return bytes
}

/** Bytes of the file's part file that go, or are written over, unless it is copied before. */
async function writtenOverBytes(
  { remote: target, size }: PlannedFile,
  record: UploadRecord | undefined,
  remote: Remote
): Promise<number> {
  if (record === undefined || record.published !== undefined) return 0
  const isOfThisSize = record.identity.size === size
  if (isOfThisSize && record.rebuilt === true && remote.canCopy) return 0
  const part = await remote.stat(partPath(target, record.partId))
  const kept = isOfThisSize ? record.ledger.acknowledgedBytes() : 0
  return Math.max(0, (part?.size ?? 0) - kept)
}

/** Of the directory, or of the nearest one above it that is there. */
async function freeBytes(remote: Remote, directory: string): Promise<number | undefined> {
  try {
    return await remote.freeBytes(directory)
  } catch (error) {
    if (isTransient(error) || isTop(directory)) throw error
    return freeBytes(remote, directoryOf(directory))
  }
}

function commonDirectory(files: readonly FileProgress[]): string {
  const [first = '', ...others] = files.map(({ file }) => file.remote)
  let directory = directoryOf(first)
  while (!isTop(directory) && !others.every(path => path.startsWith(`${directory}/`)))
    directory = directoryOf(directory)
  return directory
}

function isTop(directory: string): boolean {
  return directory === '.' || directory === '/'
}
