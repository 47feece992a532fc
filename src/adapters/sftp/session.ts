import type { Client, InputAttributes, SFTPWrapper } from 'ssh2'
import type { ByteRange } from '../../core/blocks.js'
import { isNotFound, UploadError } from '../../core/errors.js'
import type { RemoteKind } from '../../core/extraneous.js'
import type { RemoteStat } from '../../core/resume.js'
import { drain } from '../../engine/drain.js'
import type { Remote, RemoteEntry } from '../../engine/ports.js'
import { brokenBy, isSilence } from './broken-by.js'
import { Capabilities } from './capabilities.js'
import { copyRanges } from './copy-ranges.js'
import { plausibleFreeBytes, type FileSystemSpace } from './free-space.js'
import { listDirectory } from './list-directory.js'
import { explainLongName } from './long-name.js'
import { SftpFile } from './remote-file.js'
import { toRemoteKind, toRemoteStat } from './remote-stat.js'
import { remoteSha256 } from './remote-sha256.js'
import { Requests } from './requests.js'

/** Open flags of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 6.3). */
const READ = 0x01
const WRITE = 0x02
const CREATE_EMPTY = WRITE | 0x08 | 0x10
/** Section 3 of the same draft. */
const LONGEST_HANDLE = 256
/** Bytes a second that a program on the server hashes at least; a slower one is not waited for. */
const SLOWEST_DIGEST = 4 * 1024 * 1024
/** Milliseconds without an answer after which a session that is closed in the middle may be a dark one. */
const DARK_AFTER_MS = 900

export interface SessionSettings {
  readonly host: string
  readonly port: number
  readonly chunkSize: number | 'auto'
  readonly stallTimeoutMs: number
}

type Done = (error?: Error | null) => void

/** One SFTP session over ssh2, with promises for callbacks. */
export class SftpSession implements Remote {
  readonly ended: Promise<UploadError>
  private readonly stallTimeoutMs: number
  private readonly capabilities: Capabilities
  private readonly requests: Requests
  private hasEnded = false
  private settleEnded: (error: UploadError) => void = () => undefined

  constructor(
    private readonly client: Client,
    private readonly sftp: SFTPWrapper,
    { host, port, chunkSize, stallTimeoutMs }: SessionSettings,
    /** Milliseconds that an answer took while it was opened. */
    private readonly openingRoundTripMs: number,
    /** Ends the connection without delivering what it still holds. */
    private readonly reset: () => void
  ) {
    this.capabilities = new Capabilities(sftp, chunkSize)
    this.stallTimeoutMs = stallTimeoutMs
    this.ended = new Promise(resolve => (this.settleEnded = resolve))
    this.requests = new Requests(stallTimeoutMs, error => this.giveUp(error))
    const lost = (failure?: Error) => {
      const reason = failure === undefined ? 'the server closed it' : brokenBy(failure)
      const text = `connection to ${host} port ${port}: ${reason}`
      const code = failure !== undefined && isSilence(failure) ? 'stalled' : 'connection-lost'
      this.giveUp(new UploadError(code, text, { cause: failure }))
    }
    // A server that breaks the rules need not hang up: the first sign of an end is taken for it. Several errors can
    // follow one failure: somebody has to listen for as long as the client lives.
    client.on('error', lost)
    client.on('close', () => lost())
    sftp.on('error', lost)
    sftp.on('end', () => lost())
    sftp.on('close', () => lost())
    const checkLimits = () => {
      const { problem } = this.capabilities
      if (problem !== undefined) this.giveUp(new UploadError('protocol', `open SFTP on ${host}: ${problem}`))
    }
    // ssh2 says so once more when the limits have come.
    sftp.on('ready', checkLimits)
    checkLimits()
  }

  get chunkSize(): number {
    return this.capabilities.chunkSize
  }

  get window(): number {
    return this.capabilities.window
  }

  get maxOpenFiles(): number {
    return this.capabilities.maxOpenFiles
  }

  get roundTripMs(): number {
    return this.requests.fastestMs ?? this.openingRoundTripMs
  }

  get canReplace(): boolean {
    return this.capabilities.posixRename
  }

  get canCopy(): boolean {
    return this.capabilities.copyData
  }

  async stat(path: string): Promise<RemoteStat | undefined> {
    const doing = `stat ${path}`
    try {
      const answered = await this.requests.ask<unknown>(doing, answer => {
        this.sftp.stat(path, answer)
      })
      return toRemoteStat(answered, doing)
    } catch (error) {
      if (isNotFound(error)) return undefined
      return explainLongName(path)(error)
    }
  }

  async kindOf(path: string): Promise<RemoteKind | undefined> {
    try {
      const { mode } = await this.requests.ask<{ mode?: number }>(`look at ${path}`, answer => {
        this.sftp.lstat(path, answer)
      })
      return toRemoteKind(mode)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async list(path: string): Promise<RemoteEntry[]> {
    const doing = `list ${path}`
    const handle = await this.askForHandle(doing, answer => {
      this.sftp.opendir(path, answer)
    })
    try {
      return await listDirectory(this.sftp, this.requests, handle, doing)
    } finally {
      this.do(`close ${path}`, done => this.sftp.close(handle, done)).catch(() => undefined)
    }
  }

  makeDirectory(path: string, mode: number | undefined): Promise<void> {
    const made = this.do(`make the directory ${path}`, done => {
      if (mode === undefined) this.sftp.mkdir(path, done)
      else this.sftp.mkdir(path, { mode }, done)
    })
    return made.catch(explainLongName(path))
  }

  create(path: string, mode: number | undefined): Promise<SftpFile> {
    return this.open(path, CREATE_EMPTY, mode === undefined ? {} : { mode }).catch(explainLongName(path))
  }

  reopen(path: string): Promise<SftpFile> {
    return this.open(path, WRITE, {})
  }

  openForReading(path: string): Promise<SftpFile> {
    return this.open(path, READ, {})
  }

  replace(from: string, to: string): Promise<void> {
    return this.doPatiently(`rename ${from} to ${to}`, done => this.sftp.ext_openssh_rename(from, to, done))
  }

  rename(from: string, to: string): Promise<void> {
    return this.doPatiently(`rename ${from} to ${to}`, done => this.sftp.rename(from, to, done))
  }

  async copy(
    from: string,
    to: string,
    ranges: readonly ByteRange[],
    mode: number | undefined
  ): Promise<void> {
    const source = await this.openForReading(from)
    try {
      const target = await this.create(to, mode)
      const copied = copyRanges(source, target, ranges)
      // Some servers report a failed write only when the file is closed.
      await drain([copied, copied.catch(() => undefined).then(() => target.close())])
    } finally {
      source.close().catch(() => undefined)
    }
  }

  remove(path: string): Promise<void> {
    return this.do(`remove ${path}`, done => this.sftp.unlink(path, done)).catch(expectGone)
  }

  /** Over an object store it can go with its last file. */
  removeDirectory(path: string): Promise<void> {
    return this.do(`remove the directory ${path}`, done => this.sftp.rmdir(path, done)).catch(expectGone)
  }

  async setAttributes(path: string, { mode, mtime }: { mode?: number; mtime?: number }): Promise<void> {
    const attributes: InputAttributes = {
      ...(mode === undefined ? {} : { mode }),
      ...(mtime === undefined ? {} : { mtime, atime: mtime })
    }
    await this.do(`set attributes of ${path}`, done => this.sftp.setstat(path, attributes, done))
  }

  async freeBytes(directory: string): Promise<number | undefined> {
    if (!this.capabilities.statvfs) return undefined
    const space = await this.requests.ask<FileSystemSpace>(`statvfs ${directory}`, answer => {
      this.sftp.ext_openssh_statvfs(directory, answer)
    })
    return plausibleFreeBytes(space)
  }

  async sha256(path: string, size: number): Promise<string | undefined> {
    const absolute = await this.requests.ask<unknown>(`resolve ${path}`, answer => {
      this.sftp.realpath(path, answer)
    })
    const limitMs = this.stallTimeoutMs + (size / SLOWEST_DIGEST) * 1000
    return remoteSha256(this.client, absolute, limitMs, this.ended)
  }

  close(): void {
    const code = this.requests.quietMs > DARK_AFTER_MS ? 'stalled' : 'connection-lost'
    const error = new UploadError(code, 'the connection is closed')
    if (this.requests.areInFlight) this.giveUp(error)
    else this.end(error)
  }

  private async open(path: string, flags: number, attributes: InputAttributes): Promise<SftpFile> {
    const handle = await this.askForHandle(`open ${path}`, answer => {
      this.sftp.open(path, flags, attributes, answer)
    })
    return new SftpFile(this.sftp, this.requests, this.capabilities, path, handle)
  }

  private async askForHandle(
    doing: string,
    request: (answer: (error: Error | null | undefined, handle: Buffer) => void) => void
  ): Promise<Buffer> {
    const handle = await this.requests.ask<unknown>(doing, request)
    if (Buffer.isBuffer(handle) && handle.length <= LONGEST_HANDLE) return handle
    const found = Buffer.isBuffer(handle) ? `one of ${handle.length} bytes` : 'none'
    const expected = `a handle of at most ${LONGEST_HANDLE} bytes`
    throw new UploadError('protocol', `${doing}: the server must answer with ${expected}, found ${found}`)
  }

  private async do(doing: string, request: (done: Done) => void): Promise<void> {
    await this.requests.ask<unknown>(doing, answer => request(error => answer(error, undefined)))
  }

  private async doPatiently(doing: string, request: (done: Done) => void): Promise<void> {
    await this.requests.askPatiently<unknown>(doing, answer => request(error => answer(error, undefined)))
  }

  /** What the system has not delivered yet is to come to nothing: another session may write into the same file soon. */
  private giveUp(error: UploadError): void {
    if (!this.hasEnded) this.reset()
    this.end(error)
  }

  /** The lane is to know of the end before its requests fail. */
  private end(error: UploadError): void {
    this.hasEnded = true
    this.settleEnded(error)
    queueMicrotask(() => this.requests.end(error))
    this.client.end()
    setTimeout(() => this.client.destroy(), 200).unref()
  }
}

/** What somebody else removed meanwhile is gone as well. */
function expectGone(error: unknown): void {
  if (!isNotFound(error)) throw error
}
