import type { Client, FileEntryWithStats, InputAttributes, SFTPWrapper } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import type { RemoteKind } from '../../core/extraneous.js'
import type { RemoteStat } from '../../core/resume.js'
import type { Remote, RemoteEntry } from '../../engine/ports.js'
import { Capabilities } from './capabilities.js'
import { plausibleFreeBytes, type FileSystemSpace } from './free-space.js'
import { SftpFile } from './remote-file.js'
import { toRemoteKind, toRemoteStat } from './remote-stat.js'
import { remoteSha256 } from './remote-sha256.js'
import { Requests } from './requests.js'

/** Open flags of SFTP version 3 (draft-ietf-secsh-filexfer-02, section 6.3). */
const READ = 0x01
const WRITE = 0x02
const CREATE_EMPTY = WRITE | 0x08 | 0x10

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
  private readonly capabilities: Capabilities
  private readonly requests: Requests
  private settleEnded: (error: UploadError) => void = () => undefined

  constructor(
    private readonly client: Client,
    private readonly sftp: SFTPWrapper,
    { host, port, chunkSize, stallTimeoutMs }: SessionSettings
  ) {
    this.capabilities = new Capabilities(sftp, chunkSize)
    this.ended = new Promise(resolve => (this.settleEnded = resolve))
    this.requests = new Requests(stallTimeoutMs, error => this.end(error))
    // Several errors can follow one failure: somebody has to listen for as long as the client lives.
    let failure: Error | undefined
    client.on('error', error => (failure ??= error))
    sftp.on('error', (error: Error) => (failure ??= error))
    const lost = () => {
      const reason = failure?.message ?? 'the server closed it'
      const text = `connection to ${host} port ${port}: ${reason}`
      this.end(new UploadError('connection-lost', text, { cause: failure }))
    }
    client.on('close', lost)
    sftp.on('close', lost)
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

  get canReplace(): boolean {
    return this.capabilities.posixRename
  }

  async stat(path: string): Promise<RemoteStat | undefined> {
    try {
      const attributes = await this.requests.ask<Parameters<typeof toRemoteStat>[0]>(
        `stat ${path}`,
        answer => {
          this.sftp.stat(path, answer)
        }
      )
      return toRemoteStat(attributes)
    } catch (error) {
      if (error instanceof UploadError && error.code === 'not-found') return undefined
      throw error
    }
  }

  async kindOf(path: string): Promise<RemoteKind | undefined> {
    try {
      const { mode } = await this.requests.ask<{ mode?: number }>(`look at ${path}`, answer => {
        this.sftp.lstat(path, answer)
      })
      return toRemoteKind(mode)
    } catch (error) {
      if (error instanceof UploadError && error.code === 'not-found') return undefined
      throw error
    }
  }

  async list(path: string): Promise<RemoteEntry[]> {
    const entries = await this.requests.ask<FileEntryWithStats[]>(`list ${path}`, answer => {
      this.sftp.readdir(path, answer)
    })
    return entries.map(({ filename, attrs }) => ({ name: filename, mtime: attrs.mtime }))
  }

  makeDirectory(path: string, mode: number | undefined): Promise<void> {
    return this.do(`make the directory ${path}`, done => {
      if (mode === undefined) this.sftp.mkdir(path, done)
      else this.sftp.mkdir(path, { mode }, done)
    })
  }

  create(path: string, mode: number | undefined): Promise<SftpFile> {
    return this.open(path, CREATE_EMPTY, mode === undefined ? {} : { mode })
  }

  reopen(path: string): Promise<SftpFile> {
    return this.open(path, WRITE, {})
  }

  openForReading(path: string): Promise<SftpFile> {
    return this.open(path, READ, {})
  }

  replace(from: string, to: string): Promise<void> {
    return this.do(`rename ${from} to ${to}`, done => this.sftp.ext_openssh_rename(from, to, done), true)
  }

  rename(from: string, to: string): Promise<void> {
    return this.do(`rename ${from} to ${to}`, done => this.sftp.rename(from, to, done), true)
  }

  async remove(path: string): Promise<void> {
    try {
      await this.do(`remove ${path}`, done => this.sftp.unlink(path, done))
    } catch (error) {
      if (!(error instanceof UploadError) || error.code !== 'not-found') throw error
    }
  }

  removeDirectory(path: string): Promise<void> {
    return this.do(`remove the directory ${path}`, done => this.sftp.rmdir(path, done))
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

  async sha256(path: string): Promise<string | undefined> {
    const absolute = await this.requests.ask<string>(`resolve ${path}`, answer => {
      this.sftp.realpath(path, answer)
    })
    return remoteSha256(this.client, absolute, this.ended)
  }

  close(): void {
    this.end(new UploadError('connection-lost', 'the connection is closed'))
  }

  private async open(path: string, flags: number, attributes: InputAttributes): Promise<SftpFile> {
    const handle = await this.requests.ask<Buffer>(`open ${path}`, answer => {
      this.sftp.open(path, flags, attributes, answer)
    })
    return new SftpFile(this.sftp, this.requests, this.capabilities, path, handle)
  }

  private async do(doing: string, request: (done: Done) => void, slow = false): Promise<void> {
    await this.requests.ask<unknown>(doing, answer => request(error => answer(error, undefined)), slow)
  }

  /** The lane is to know of the end before its requests fail. */
  private end(error: UploadError): void {
    this.settleEnded(error)
    queueMicrotask(() => this.requests.end(error))
    this.client.end()
    setTimeout(() => this.client.destroy(), 200).unref()
  }
}
