import { splitRange } from '../../core/blocks.js'
import { isTransient, reasonOf, UploadError } from '../../core/errors.js'
import type { RemoteStat } from '../../core/resume.js'
import { abortable } from '../../engine/abortable.js'
import { drain } from '../../engine/drain.js'
import { Lane } from '../../engine/lane.js'
import type { Remote } from '../../engine/ports.js'
import { publish } from '../../engine/publish.js'
import type { SharedSessions } from '../sftp/shared-sessions.js'
import { LARGEST_META } from './state-directory.js'
import type { Patience, StateKeeper } from './state-keeper.js'

export interface ServerKeeperSettings {
  readonly sessions: SharedSessions
  /** Of the file on the server. */
  readonly path: string
  /** Beside it, and of this run alone: what is written here gets the file's name when it is whole. */
  readonly temporaryPath: string
}

/** Nobody but the login needs it. */
const MODE = 0o600
const READ_LENGTH = 4 * 1024 * 1024

/** Keeps `.upload.meta` in a file on the server, beside the targets. */
export class ServerKeeper implements StateKeeper {
  private lostSessions = 0
  private inOrder = true
  private writing: Promise<unknown> = Promise.resolve()

  constructor(private readonly settings: ServerKeeperSettings) {}

  get place(): string {
    return `on the server, in ${this.settings.path}`
  }

  load(signal: AbortSignal): Promise<string | undefined> {
    return this.settings.sessions.use(remote => this.read(remote), signal)
  }

  async save(sealed: string, { limitMs, signal }: Patience): Promise<void> {
    const limit = new AbortController()
    const stop = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal])
    const timer = setTimeout(() => limit.abort(new Error(`no answer within ${limitMs / 1000} s`)), limitMs)
    try {
      await abortable(this.saveNext(Buffer.from(sealed), stop), stop)
    } catch (error) {
      throw isTransient(error) ? error : refusalOf('take', error)
    } finally {
      clearTimeout(timer)
    }
  }

  private async read(remote: Remote): Promise<string | undefined> {
    try {
      return await readText(remote, this.settings.path)
    } catch (error) {
      // A line that was cut here is asked again; a server that cannot give this file must not stop the upload.
      if (isTransient(error) && this.lostSessions++ === 0) throw error
      throw refusalOf('give', error)
    }
  }

  /** Waits for the one before, which may have been given up with requests in flight. */
  private saveNext(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { sessions } = this.settings
    const work = () => sessions.use(remote => this.replace(remote, bytes, signal), signal)
    const writing = this.writing.then(work, work)
    this.writing = writing
    return writing
  }

  private async replace(remote: Remote, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { path, temporaryPath } = this.settings
    try {
      await publish(remote, temporaryPath, path, await this.send(remote, bytes, signal))
    } catch (error) {
      await remote.remove(temporaryPath).catch(() => undefined)
      throw error
    }
  }

  /** In one go; servers that get that wrong are asked again one by one. Returns what the server says of the file. */
  private async send(remote: Remote, bytes: Uint8Array, signal: AbortSignal): Promise<RemoteStat> {
    try {
      return await this.write(remote, bytes, signal)
    } catch (error) {
      if (!this.inOrder || !(error instanceof UploadError) || error.code !== 'server-failure') throw error
      this.inOrder = false
      return this.write(remote, bytes, signal)
    }
  }

  private async write(remote: Remote, bytes: Uint8Array, signal: AbortSignal): Promise<RemoteStat> {
    const path = this.settings.temporaryPath
    const file = await remote.create(path, MODE)
    const lane = new Lane(remote)
    const sent: Promise<void>[] = []
    for (const { offset, length } of splitRange({ offset: 0, length: bytes.length }, remote.chunkSize)) {
      if (signal.aborted) break
      sent.push((await lane.send(file, bytes.subarray(offset, offset + length), offset)).acknowledged)
    }
    // Every answer comes behind all that the lanes have in flight: nothing is waited for that need not be.
    const after = <T>(asked: readonly Promise<unknown>[], ask: () => Promise<T>) =>
      this.inOrder ? ask() : Promise.allSettled(asked).then(ask)
    const stat = after(sent, () => file.stat())
    const closed = after([stat], () => file.close())
    const [told] = await drain([stat, closed, ...sent])
    signal.throwIfAborted()
    if (told.size === bytes.length) return told
    const sizes = `must hold ${bytes.length} bytes and holds ${told.size}`
    throw new UploadError('server-failure', `check ${path}: the server ${sizes}`)
  }
}

async function readText(remote: Remote, path: string): Promise<string | undefined> {
  const stat = await remote.stat(path)
  if (stat === undefined) return undefined
  if (stat.size > LARGEST_META) {
    throw new UploadError('wrong-type', `read ${path}: it is no file that an upload left`)
  }
  const file = await remote.openForReading(path)
  try {
    const pieces: Uint8Array[] = []
    for (const range of splitRange({ offset: 0, length: stat.size }, READ_LENGTH)) {
      pieces.push(await file.read(range))
    }
    return Buffer.concat(pieces).toString('utf8')
  } finally {
    await file.close().catch(() => undefined)
  }
}

function refusalOf(doing: 'give' | 'take', error: unknown): Error {
  const reason = reasonOf(error)
  return new Error(`the server does not ${doing} it (${reason})`, { cause: error })
}
