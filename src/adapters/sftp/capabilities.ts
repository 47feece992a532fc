import type { SFTPWrapper } from 'ssh2'

/** Legal everywhere: a write request of this length fits into one SSH packet of the least size (RFC 4253, 6.1). */
const CHUNK_EVERYWHERE = 31_744
const LONGEST_CHUNK = 261_120
const READ_EVERYWHERE = 32_768
/** The draft has servers take 32,768 bytes. With chunks of a byte each, a window would fill the memory. */
const LEAST_LIMIT = 1024
const LEAST_WINDOW = 1024 * 1024
/** OpenSSH's channel window; four lanes with twice that come too near to 200 MiB of memory on Node 24. */
const LARGEST_WINDOW = 2 * 1024 * 1024

/** What ssh2 keeps to itself, read only here. It has no public way to ask for it. */
interface Internals {
  readonly _extensions: Readonly<Record<string, string>>
  readonly _maxWriteLen: number
  readonly _maxReadLen: number
  readonly maxOpenHandles?: number
  readonly outgoing?: { readonly window: number }
}

/**
 * What a server offers, and how much it takes at once. It tells its limits (`limits@openssh.com`, PROTOCOL of OpenSSH)
 * before it answers the first request; until then, and where it tells none, what is legal everywhere goes.
 */
export class Capabilities {
  /** Bytes in flight: twice the server's channel window, within bounds. */
  readonly window: number
  readonly posixRename: boolean
  readonly fsync: boolean
  readonly statvfs: boolean
  readonly copyData: boolean
  private readonly internals: Internals

  /** `wanted` lowers the chunk size, in bytes. */
  constructor(
    sftp: SFTPWrapper,
    private readonly wanted: number | 'auto'
  ) {
    this.internals = sftp as unknown as Internals
    const { _extensions, outgoing } = this.internals
    const offers = (extension: string) => Object.hasOwn(_extensions, extension)
    this.window = Math.min(Math.max(2 * (outgoing?.window ?? 0), LEAST_WINDOW), LARGEST_WINDOW)
    this.posixRename = offers('posix-rename@openssh.com')
    this.fsync = offers('fsync@openssh.com')
    this.statvfs = offers('statvfs@openssh.com')
    this.copyData = offers('copy-data')
  }

  /** Bytes of one write request, as settings and server allow. */
  get chunkSize(): number {
    // Without limits ssh2 guesses from the server's name, and guesses wrong for a foreign sftp-server behind sshd.
    const longest = Math.min(this.longestWrite, this.toldLimits ? LONGEST_CHUNK : CHUNK_EVERYWHERE)
    return this.wanted === 'auto' ? longest : Math.min(this.wanted, longest)
  }

  /** Bytes of one write request that ssh2 still sends as one. */
  get longestWrite(): number {
    return this.internals._maxWriteLen
  }

  /** Bytes of one read request. */
  get longestRead(): number {
    return this.toldLimits ? Math.min(this.internals._maxReadLen, LONGEST_CHUNK) : READ_EVERYWHERE
  }

  get maxOpenFiles(): number {
    const { maxOpenHandles } = this.internals
    return maxOpenHandles === undefined || maxOpenHandles < 1 ? Infinity : maxOpenHandles
  }

  /** What the server must take and does not, in words; `undefined` while nothing is wrong. */
  get problem(): string | undefined {
    const least = Math.min(this.internals._maxWriteLen, this.internals._maxReadLen)
    return least < LEAST_LIMIT
      ? `the server must take requests of at least ${LEAST_LIMIT} bytes, and takes ${least}`
      : undefined
  }

  private get toldLimits(): boolean {
    return this.internals.maxOpenHandles !== undefined
  }
}
