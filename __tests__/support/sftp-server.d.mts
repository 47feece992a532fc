import type { ServerChannel } from 'ssh2'
import type { SftpRequest } from './sftp-wire.mjs'

export interface SftpUser {
  readonly username: string
  readonly password?: string
  /** Lines as in authorized_keys. */
  readonly publicKeys?: readonly string[]
  /** The answers expected, one prompt each. */
  readonly keyboardInteractive?: readonly string[]
  /** All these methods are asked for, in this order, as OpenSSH's AuthenticationMethods does; any one by default. */
  readonly inOrder?: readonly string[]
}

/** What can be refused. `reopen` is an open for writing without CREAT, `open` any open; `setstat` is fsetstat too. */
export type RefusableOperation =
  | 'open'
  | 'reopen'
  | 'close'
  | 'read'
  | 'write'
  | 'stat'
  | 'lstat'
  | 'fstat'
  | 'setstat'
  | 'opendir'
  | 'readdir'
  | 'mkdir'
  | 'rmdir'
  | 'remove'
  | 'rename'
  | 'posixRename'
  | 'realpath'
  | 'fsync'
  | 'statvfs'

/** All optional, all changeable at any time. */
export interface SftpFaults {
  /** Write this many more bytes, then destroy the connection without an answer. The server counts down to undefined. */
  cutAfterBytes?: number | undefined
  /** Every open for writing truncates, as rclone 1.60 does. */
  truncateOnReopen?: boolean | undefined
  /** Answer with this SFTP status instead of doing it; a refused close closes. */
  refuse?: { [operation in RefusableOperation]?: number | undefined } | undefined
  /** Acknowledge writes in groups of up to eight, last first. */
  reorderAcks?: boolean | undefined
  /** After this many more bytes written do nothing and answer nothing. The server counts down; undefined ends it. */
  silentAfterBytes?: number | undefined
  /** Each answer leaves this much later; requests do not wait for one another. */
  delayMs?: number | undefined
  /** Drop new connections before the SSH handshake. */
  refuseConnections?: boolean | undefined
  /** Drop new connections while this many are open. */
  maxConnections?: number | undefined
  /** The server keeps every path under this one, as a file system does that does not tell all names apart. */
  foldNames?: ((path: string) => string) | undefined
  /** Bytes of a packet that the server says it takes. */
  packetSize?: number | undefined
  /** What goes to the client in place of the honest answer; an endless row is sent as fast as the client takes it. */
  forge?: ((request: SftpRequest, honest: Buffer) => Iterable<Buffer>) | undefined
  /** Answers programs that the client starts, which are refused otherwise. */
  exec?: ((command: string, channel: ServerChannel) => void) | undefined
  /** Refuse to open a file while this many handles of the channel are open. */
  maxHandles?: number | undefined
}

export interface SftpStats {
  readonly bytesWritten: number
  /** Requests by name, refused ones included: `open`, `write`, `posixRename`, … */
  readonly requests: Readonly<Record<string, number>>
}

export interface SftpLogin {
  readonly method: string
  readonly username: string
  readonly accepted: boolean
}

export interface SftpServerOptions {
  /** The local directory that clients see as `/`. */
  readonly root: string
  readonly host?: string
  /** What the server calls itself, e.g. `OpenSSH_9.2p1`: ssh2's client sends longer writes to that. */
  readonly ident?: string
  /** Private keys in OpenSSH or PEM form; a new ed25519 key by default. */
  readonly hostKeys?: readonly string[]
  /** `deploy` with the password `secret` by default. */
  readonly users?: readonly SftpUser[]
  /** Advertised extensions: by default posix-rename, fsync and statvfs, each `…@openssh.com`. */
  readonly extensions?: readonly string[]
  /** Plain RENAME replaces an existing target, as pkg/sftp does; OpenSSH answers status 4. */
  readonly overwriteOnRename?: boolean
  readonly faults?: SftpFaults
}

export interface SftpServer {
  /** As it was given. */
  readonly root: string
  readonly host: string
  readonly port: number
  /** One line per host key for this server's own port. */
  readonly knownHosts: string
  /** The same for a link in front of the server. */
  formatKnownHosts(port: number): string
  readonly faults: SftpFaults
  readonly stats: SftpStats
  /** Attempts to log in, `none` included. */
  readonly logins: readonly SftpLogin[]
  /** Connections so far, refused ones included. */
  readonly connections: number
  /** SFTP channels of which requests are still carried out, also after their connection has ended. */
  readonly openChannels: number
  /** Ends every connection now. */
  dropConnections(): void
  close(): Promise<void>
}

/** An ed25519 key pair in OpenSSH form, unlike ssh2's own always one that can be read back. */
export function generateKeyPair(): { readonly private: string; readonly public: string }

/** Starts an SFTP server in this process, which is a jump host, too. */
export function startSftpServer(options: SftpServerOptions): Promise<SftpServer>
