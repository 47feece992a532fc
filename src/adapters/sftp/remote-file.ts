import type { SFTPWrapper } from 'ssh2'
import { splitRange, type ByteRange } from '../../core/blocks.js'
import { UploadError } from '../../core/errors.js'
import type { RemoteStat } from '../../core/resume.js'
import type { RemoteFile } from '../../engine/ports.js'
import type { Capabilities } from './capabilities.js'
import type { Requests } from './requests.js'
import { toRemoteStat } from './remote-stat.js'
import { isEndOfFile } from './status.js'

/** An open handle of an ssh2 session. */
export class SftpFile implements RemoteFile {
  constructor(
    private readonly sftp: SFTPWrapper,
    private readonly requests: Requests,
    private readonly capabilities: Capabilities,
    private readonly path: string,
    private readonly handle: Buffer
  ) {}

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (bytes.length > this.capabilities.longestWrite) {
      // ssh2 would split it and send the rest only after the first answer: a cut would leave a hole.
      throw new RangeError(`write of ${bytes.length} bytes, more than ${this.capabilities.longestWrite}`)
    }
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    try {
      await this.requests.ask<unknown>(`write ${this.path} at ${offset}`, answer => {
        this.sftp.write(
          this.handle,
          buffer,
          0,
          buffer.length,
          offset,
          answer as (error?: Error | null) => void
        )
      })
    } catch (error) {
      throw await this.explain(error)
    }
  }

  async read(range: ByteRange): Promise<Uint8Array> {
    const pieces = splitRange(range, this.capabilities.longestRead)
    const parts = await Promise.all(pieces.map(piece => this.readPiece(piece)))
    return Buffer.concat(parts)
  }

  async stat(): Promise<RemoteStat> {
    const doing = `stat ${this.path}`
    const answered = await this.requests.ask<unknown>(doing, answer => {
      this.sftp.fstat(this.handle, answer)
    })
    return toRemoteStat(answered, doing)
  }

  async sync(): Promise<void> {
    if (!this.capabilities.fsync) return
    await this.requests.askPatiently<unknown>(`sync ${this.path}`, answer => {
      this.sftp.ext_openssh_fsync(this.handle, answer)
    })
  }

  async close(): Promise<void> {
    await this.requests.askPatiently<unknown>(`close ${this.path}`, answer => {
      this.sftp.close(this.handle, answer as (error?: Error | null) => void)
    })
  }

  /** Has the server copy the range to the same offsets of another file of this session. */
  async copyTo(target: SftpFile, { offset, length }: ByteRange): Promise<void> {
    await this.requests.askPatiently<unknown>(`copy ${this.path} to ${target.path} at ${offset}`, answer => {
      const done = answer as (error?: Error | null) => void
      this.sftp.ext_copy_data(this.handle, offset, length, target.handle, offset, done)
    })
  }

  /** Loops over short reads, which a server may give at any time. */
  private async readPiece({ offset, length }: ByteRange): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const bytes = await this.readOnce(buffer, filled, offset + filled)
      if (bytes === 0) break
      filled += bytes
    }
    return buffer.subarray(0, filled)
  }

  private readOnce(buffer: Buffer, filled: number, position: number): Promise<number> {
    return this.requests.ask<number>(`read ${this.path} at ${position}`, answer => {
      this.sftp.read(this.handle, buffer, filled, buffer.length - filled, position, (error, bytesRead) => {
        if (error && isEndOfFile(error)) answer(undefined, 0)
        else answer(error, bytesRead)
      })
    })
  }

  /** OpenSSH says "Failure" for a full disk; its free space tells it from the rest. */
  private async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof UploadError) || error.code !== 'server-failure' || !this.capabilities.statvfs)
      return error
    const space = await this.requests
      .ask<{ f_bavail: number } | undefined>(`statvfs ${this.path}`, answer => {
        this.sftp.ext_openssh_statvfs(this.path, answer)
      })
      .catch(() => undefined)
    if (space?.f_bavail !== 0) return error
    return new UploadError('no-space', `${error.message}; the server's disk is full`, { cause: error })
  }
}
