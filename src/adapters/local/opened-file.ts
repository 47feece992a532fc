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
    const { dev, ino, size, mtimeNs } = this.opened
    if (now?.size === size && now.mtimeNs === mtimeNs && now.ino === ino && now.dev === dev)
      return Promise.resolve()
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

/** On this thread: another one would take longer to be asked than the system to answer. */
function statNow(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
