import type { SFTPWrapper } from 'ssh2'

/** Legal everywhere: a write request of this length fits into one SSH packet of the least size (RFC 4253, 6.1). */
const CHUNK_EVERYWHERE = 31_744
const LONGEST_CHUNK = 261_120
const READ_EVERYWHERE = 32_768
const LEAST_WINDOW = 1024 * 1024
/** OpenSSH's channel window; four lanes with twice that come too near to 200 MiB of memory on Node 24. */
const LARGEST_WINDOW = 2 * 1024 * 1024

/** What a server offers, and how much it takes at once. */
export interface Capabilities {
  /** Bytes of one write request, as settings and server allow. */
  readonly chunkSize: number
  /** Bytes of one write request that ssh2 still sends as one. */
  readonly longestWrite: number
  /** Bytes of one read request. */
  readonly longestRead: number
  /** Bytes in flight: twice the server's channel window, within bounds. */
  readonly window: number
  readonly maxOpenFiles: number
  readonly posixRename: boolean
  readonly fsync: boolean
  readonly statvfs: boolean
}

/** What ssh2 keeps to itself, read only here. It has no public way to ask for it. */
interface Internals {
  readonly _extensions: Readonly<Record<string, string>>
  readonly _maxWriteLen: number
  readonly _maxReadLen: number
  readonly maxOpenHandles?: number
  readonly outgoing?: { readonly window: number }
}

/**
 * Reads what the server said of itself when the session began: extensions, and its limits where it tells them
 * (`limits@openssh.com`, PROTOCOL of OpenSSH). `wanted` lowers the chunk size, in bytes.
 */
export function capabilitiesOf(sftp: SFTPWrapper, wanted: number | 'auto'): Capabilities {
  const { _extensions, _maxWriteLen, _maxReadLen, maxOpenHandles, outgoing } = sftp as unknown as Internals
  const offers = (extension: string) => Object.hasOwn(_extensions, extension)
  // Without limits ssh2 guesses from the server's name, and guesses wrong for a foreign sftp-server behind sshd.
  const toldLimits = offers('limits@openssh.com')
  const longest = toldLimits
    ? Math.min(_maxWriteLen, LONGEST_CHUNK)
    : Math.min(_maxWriteLen, CHUNK_EVERYWHERE)
  return {
    chunkSize: wanted === 'auto' ? longest : Math.min(wanted, longest),
    longestWrite: _maxWriteLen,
    longestRead: toldLimits ? Math.min(_maxReadLen, LONGEST_CHUNK) : READ_EVERYWHERE,
    window: Math.min(Math.max(2 * (outgoing?.window ?? 0), LEAST_WINDOW), LARGEST_WINDOW),
    maxOpenFiles: maxOpenHandles === undefined || maxOpenHandles < 1 ? Infinity : maxOpenHandles,
    posixRename: offers('posix-rename@openssh.com'),
    fsync: offers('fsync@openssh.com'),
    statvfs: offers('statvfs@openssh.com')
  }
}
