import { UploadError } from '../core/errors.js'
import type { ByteRange } from '../core/blocks.js'
import { HandleCount, MOST_TRIES, TooManyOpen, type OpenHandles, type Opening } from './open-handles.js'
import type { Remote, RemoteFile } from './ports.js'

/** A session whose handles are counted; an opening that is refused because of their number throws TooManyOpen. */
export class CountedRemote implements Remote {
  readonly handles = new HandleCount()
  readonly ended: Promise<UploadError>
  private hasEnded = false

  constructor(
    private readonly remote: Remote,
    private readonly all: OpenHandles
  ) {
    this.ended = remote.ended
    void this.ended.then(() => {
      this.hasEnded = true
      this.all.noteClosed(this.handles.open)
    })
  }

  get chunkSize(): number {
    return this.remote.chunkSize
  }

  get window(): number {
    return this.remote.window
  }

  get maxOpenFiles(): number {
    return Math.min(this.remote.maxOpenFiles, this.handles.mostFiles)
  }

  get roundTripMs(): number {
    return this.remote.roundTripMs
  }

  get canReplace(): boolean {
    return this.remote.canReplace
  }

  get canCopy(): boolean {
    return this.remote.canCopy
  }

  create(path: string, mode: number | undefined): Promise<RemoteFile> {
    return this.open('create', () => this.remote.create(path, mode))
  }

  reopen(path: string): Promise<RemoteFile> {
    return this.open('reopen', () => this.remote.reopen(path))
  }

  openForReading(path: string): Promise<RemoteFile> {
    return this.open('read', () => this.remote.openForReading(path))
  }

  /** Holds nothing while it waits: nobody can wait for it in turn. */
  async list(path: string): ReturnType<Remote['list']> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.remote.list(path)
      } catch (error) {
        if (!hasNoReason(error) || this.all.open === 0 || tries === MOST_TRIES) throw error
        await this.all.closed()
      }
    }
  }

  stat(path: string): ReturnType<Remote['stat']> {
    return this.remote.stat(path)
  }

  kindOf(path: string): ReturnType<Remote['kindOf']> {
    return this.remote.kindOf(path)
  }

  makeDirectory(path: string, mode: number | undefined): Promise<void> {
    return this.remote.makeDirectory(path, mode)
  }

  replace(from: string, to: string): Promise<void> {
    return this.remote.replace(from, to)
  }

  rename(from: string, to: string): Promise<void> {
    return this.remote.rename(from, to)
  }

  /** It opens two files, and closes them. */
  async copy(...asked: Parameters<Remote['copy']>): Promise<void> {
    try {
      await this.remote.copy(...asked)
    } catch (error) {
      if (hasNoReason(error) && this.handles.open + 2 > this.handles.most)
        throw new TooManyOpen(error, this.handles.most)
      throw error
    }
  }

  remove(path: string): Promise<void> {
    return this.remote.remove(path)
  }

  removeDirectory(path: string): Promise<void> {
    return this.remote.removeDirectory(path)
  }

  setAttributes(path: string, attributes: { mode?: number; mtime?: number }): Promise<void> {
    return this.remote.setAttributes(path, attributes)
  }

  freeBytes(directory: string): ReturnType<Remote['freeBytes']> {
    return this.remote.freeBytes(directory)
  }

  sha256(path: string, size: number): ReturnType<Remote['sha256']> {
    return this.remote.sha256(path, size)
  }

  close(): void {
    this.remote.close()
  }

  private async open(kind: Opening, ask: () => Promise<RemoteFile>): Promise<RemoteFile> {
    const { handles, all } = this
    const markOfSession = handles.mark()
    const mark = all.mark()
    const opening = ask()
    all.asked.add(opening)
    try {
      const file = await opening
      all.opened.add(kind)
      handles.noteOpened()
      all.noteOpened()
      return new CountedFile(file, this.noteClosed)
    } catch (error) {
      if (!hasNoReason(error)) throw error
      await all.answered()
      const isFull = handles.open >= handles.most || all.open >= all.most
      if (all.othersSince(mark) === 0 || !(isFull || all.opened.has(kind))) throw error
      // With nothing open over this session, it is one number for all of them.
      const isOfSession = handles.othersSince(markOfSession) > 0
      const counted = isOfSession ? handles : all
      // Answers that came together are counted in any order: only the most of a time tells what the server allowed.
      const peak = counted.peakSince(isOfSession ? markOfSession : mark)
      counted.most = Math.max(1, Math.min(counted.most, peak))
      throw new TooManyOpen(error, counted.most)
    } finally {
      all.asked.delete(opening)
    }
  }

  private readonly noteClosed = () => {
    if (this.hasEnded) return
    this.handles.open--
    this.all.noteClosed(1)
  }
}

class CountedFile implements RemoteFile {
  constructor(
    private readonly file: RemoteFile,
    private readonly onClosed: () => void
  ) {}

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.file.write(bytes, offset)
  }

  read(range: ByteRange): Promise<Uint8Array> {
    return this.file.read(range)
  }

  stat(): ReturnType<RemoteFile['stat']> {
    return this.file.stat()
  }

  sync(): Promise<void> {
    return this.file.sync()
  }

  close(): Promise<void> {
    return this.file.close().finally(this.onClosed)
  }
}

/** SFTP version 3 has no status for too many handles. */
function hasNoReason(error: unknown): error is UploadError {
  return error instanceof UploadError && error.code === 'server-failure'
}
