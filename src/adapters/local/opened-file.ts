import { constants, statSync, type BigIntStats } from 'node:fs'
import { codeOf, reasonOf, toUploadError, UploadError } from '../../core/errors.js'
import type { PlannedFile } from '../../core/plan.js'
import { formatCount } from '../../core/quantities.js'

/** Opening a FIFO would wait for a writer otherwise; for a regular file it means nothing. */
export const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK

/** What every open local file has: it knows what it was when it was opened. */
export abstract class OpenedFile {
  readonly size: number
  readonly mtimeMs: number
  readonly version: string
  readonly mode: number | undefined
  private readonly path: string

  /** @throws UploadError `source-changed` when it is no longer what was planned. */
  constructor(
    file: PlannedFile,
    private readonly opened: BigIntStats
  ) {
    this.path = file.local
    this.size = Number(opened.size)
    this.mtimeMs = Number(opened.mtimeNs) / 1e6
    this.version = [opened.dev, opened.ino, opened.size, opened.mtimeNs].join(':')
    this.mode = process.platform === 'win32' ? undefined : Number(opened.mode & 0o7777n)
    const doing = `read ${this.path}`
    if (!opened.isFile()) throw new UploadError('source-changed', `${doing}: it is no regular file any more`)
    if (this.size !== file.size) {
      const sizes = `it had ${formatCount(file.size, 'byte')} and has ${formatCount(this.size, 'byte')}`
      throw new UploadError('source-changed', `${doing}: ${sizes}`)
    }
  }

  confirmUnchanged(): Promise<void> {
    const now = statNow(this.path)
    const { size } = this.opened
    if (now !== undefined && isSame(now, this.opened)) return Promise.resolve()
    const what =
      now === undefined
        ? 'it is gone'
        : now.size === size
          ? 'it was written to or replaced'
          : `it had ${formatCount(this.size, 'byte')} and has ${formatCount(Number(now.size), 'byte')}`
    const doing = `${this.path} changed while it was being sent`
    return Promise.reject(new UploadError('source-changed', `${doing}: ${what}`))
  }

  protected unreadable(error: unknown): UploadError {
    return new UploadError('source-unreadable', `read ${this.path}: ${reasonOf(error)}`, { cause: error })
  }

  protected tooShort(): UploadError {
    return new UploadError('source-changed', `${this.path} became shorter while it was being sent`)
  }
}

/** Why a file could not be opened. */
export function openError(error: unknown, { local }: PlannedFile): UploadError {
  return toUploadError(
    error,
    codeOf(error) === 'ENOENT' ? 'source-changed' : 'source-unreadable',
    `read ${local}`
  )
}

/**
 * Whether the file at the path is the one that was opened. On Windows, whatever the volume: libuv 1.49 and 1.50 (Node
 * 22.12 to 22.16, 24.0 and 24.1) tell another one for a path than for an open file; libuv/libuv#4698.
 */
function isSame(now: BigIntStats, opened: BigIntStats): boolean {
  const isSameVolume = now.dev === opened.dev || process.platform === 'win32'
  return isSameVolume && now.ino === opened.ino && now.size === opened.size && now.mtimeNs === opened.mtimeNs
}

/** On this thread: another one would take longer to be asked than the system to answer. */
function statNow(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
