import type { ByteRange } from '../core/blocks.js'
import { isRefusal, UploadError } from '../core/errors.js'
import { TAIL_LENGTH, type VerifyMode } from '../core/identity.js'
import { inHexadecimal } from '../core/ledger.js'
import { formatCount } from '../core/quantities.js'
import type { RemoteStat } from '../core/resume.js'
import { abortable } from './abortable.js'
import type { Emit, Remote, Source } from './ports.js'
import { seamRanges } from './prove.js'
import { holdsSameBytes } from './same-bytes.js'

export interface VerifyTask {
  readonly remote: Remote
  /** Of the closed part file. */
  readonly path: string
  readonly source: Source
  /** What the server said of it when it was closed. */
  readonly closed: RemoteStat | undefined
  readonly mode: VerifyMode
  /** Blocks that an earlier attempt had sent. */
  readonly kept: readonly number[]
  /** What would show it if something emptied the file while it was sent; empty when nothing can have. */
  readonly doubtful: readonly ByteRange[]
  readonly random: () => number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Proves, as far as the mode asks, that the closed part file holds the local file's bytes. A file that kept blocks, or is
 * in doubt, is read back at its head, its seams and its tail in every mode. Returns what the server says of the part file.
 *
 * @throws UploadError `not-verified` with what was expected and what was found.
 */
export async function verify(task: VerifyTask): Promise<RemoteStat> {
  const { remote, path, source, mode } = task
  const stat = task.closed?.size === source.size ? task.closed : await remote.stat(path)
  if (stat?.size !== source.size) {
    const found = stat === undefined ? 'nothing' : formatCount(stat.size, 'byte')
    const expected = formatCount(source.size, 'byte')
    throw new UploadError(
      'not-verified',
      `check ${path}: the server must hold ${expected} and holds ${found}`
    )
  }
  if (mode === 'full') {
    if (!(await hasDigest(task))) await readBack(task, [{ offset: 0, length: source.size }])
    return stat
  }
  const { kept, doubtful, random } = task
  const ranges = [...doubtful]
  if (kept.length > 0 || doubtful.length > 0) ranges.push(...seamRanges(source.size, kept, random))
  if (mode === 'tail') ranges.push(tailOf(source.size))
  await readBack(task, ranges)
  return stat
}

/** The last 1 MiB of a file of that size. */
export function tailOf(size: number): ByteRange {
  const length = Math.min(size, TAIL_LENGTH)
  return { offset: size - length, length }
}

/** Only a matching digest proves anything: a shell may be refused, faked, or see other paths than SFTP does. */
async function hasDigest({ remote, path, source, signal }: VerifyTask): Promise<boolean> {
  const [there, here] = await Promise.all([
    remote.sha256(path, source.size).catch(() => undefined),
    abortable(source.wholeDigest(), signal)
  ])
  return there === inHexadecimal(here)
}

async function readBack(
  { remote, path, source, mode, emit }: VerifyTask,
  ranges: readonly ByteRange[]
): Promise<void> {
  if (ranges.length === 0) return
  let same: boolean
  try {
    const file = await remote.openForReading(path)
    try {
      same = await holdsSameBytes(file, source, ranges)
    } finally {
      file.close().catch(() => undefined)
    }
  } catch (error) {
    if (!isRefusal(error)) throw error
    if (error.code === 'not-found')
      throw new UploadError('not-verified', `check ${path}: it is gone`, { cause: error })
    if (mode === 'tail' || mode === 'full') throw error
    emit({
      type: 'warning',
      text: `The server lets nobody read ${path} (${error.message}); its size is right.`
    })
    return
  }
  if (!same) {
    throw new UploadError(
      'not-verified',
      `check ${path}: the bytes on the server are not those of the local file`
    )
  }
}
