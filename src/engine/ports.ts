import type { ByteRange } from '../core/blocks.js'
import type { UploadError } from '../core/errors.js'
import type { RemoteKind } from '../core/extraneous.js'
import type { Digest } from '../core/ledger.js'
import type { PlannedFile } from '../core/plan.js'
import type { FileResult } from '../core/report.js'
import type { RemoteStat, ResumeDecision } from '../core/resume.js'

/** Where bytes come from: one local file, open for the time of its upload. */
export interface Source {
  /** Bytes, when it was opened. */
  readonly size: number
  /** Milliseconds since 1970, when it was opened. */
  readonly mtimeMs: number
  /** The same for the same file, unchanged, when it is opened again; otherwise another. */
  readonly version: string
  /** Permission bits; `undefined` where the local system has none. */
  readonly mode: number | undefined
  /**
   * Reads the range in order. A slice is valid until the next one is asked for.
   *
   * @throws UploadError `source-changed` when the file has become too short, `source-unreadable`.
   */
  stream(range: ByteRange): SourceStream
  /** SHA-256 of the range; of a long one off the main thread. */
  digest(range: ByteRange): Promise<Digest>
  /** SHA-256 of the whole file, read once; sending does not wait behind it. */
  wholeDigest(): Promise<Digest>
  /** Reads a short range into memory. */
  read(range: ByteRange): Promise<Uint8Array>
  /** @throws UploadError `source-changed` when the path no longer holds the file that was opened, as it was then. */
  confirmUnchanged(): Promise<void>
  close(): Promise<void>
}

export interface SourceStream {
  readonly slices: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** SHA-256 of all slices; settles after the last slice was read. */
  digest(): Promise<Digest>
}

export type OpenSource = (file: PlannedFile) => Promise<Source>

/** Where bytes go to: one SFTP session. Every call may throw `connection-lost` or `stalled`; then the session is over. */
export interface Remote {
  /** The longest write request that the server surely takes, in bytes. */
  readonly chunkSize: number
  /** Bytes in flight that keep the line full. */
  readonly window: number
  /** Handles that may be open at once. */
  readonly maxOpenFiles: number
  /** Milliseconds that an answer of the server took at least, as far as is known now. */
  readonly roundTripMs: number
  /** Whether `replace` is offered: a rename onto an existing file in one step. */
  readonly canReplace: boolean
  /** Whether `copy` is offered: bytes of a file into another one, on the server. */
  readonly canCopy: boolean
  /** Settles, never rejects, when the session has ended, with the reason. */
  readonly ended: Promise<UploadError>
  /** Follows symbolic links; `undefined` when there is nothing. */
  stat(path: string): Promise<RemoteStat | undefined>
  /** Does not follow symbolic links; `undefined` when there is nothing. */
  kindOf(path: string): Promise<RemoteKind | undefined>
  /** The entries of a directory, without `.` and `..`. */
  list(path: string): Promise<RemoteEntry[]>
  /** @throws UploadError when the directory is there already, too: SFTP version 3 has no code for it. */
  makeDirectory(path: string, mode: number | undefined): Promise<void>
  /** Opens a new, empty file for writing. */
  create(path: string, mode: number | undefined): Promise<RemoteFile>
  /** Opens an existing file for writing only, without changing it. Some servers empty it and say OK. */
  reopen(path: string): Promise<RemoteFile>
  openForReading(path: string): Promise<RemoteFile>
  /** `posix-rename@openssh.com`; see `canReplace`. */
  replace(from: string, to: string): Promise<void>
  /** SFTP version 3 rename: most servers refuse it when `to` exists, some replace. */
  rename(from: string, to: string): Promise<void>
  /** `copy-data` (OpenSSH): makes a new file with these ranges, none of them empty, of another one at the same offsets. */
  copy(from: string, to: string, ranges: readonly ByteRange[], mode: number | undefined): Promise<void>
  /** Removes a file; says nothing when it is not there. */
  remove(path: string): Promise<void>
  /**
   * Removes an empty directory; says nothing when it is not there.
   *
   * @throws UploadError when it is not empty, too: SFTP version 3 has no code for it.
   */
  removeDirectory(path: string): Promise<void>
  /** `mtime` in seconds since 1970. */
  setAttributes(path: string, attributes: { mode?: number; mtime?: number }): Promise<void>
  /** Bytes that are free in the directory; `undefined` where the server does not tell, or tells nonsense. */
  freeBytes(directory: string): Promise<number | undefined>
  /**
   * SHA-256 of a file of `size` bytes by a program on the server, in hexadecimal; `undefined` when the account cannot,
   * the answer is none, or it does not come within the time that the size allows.
   */
  sha256(path: string, size: number): Promise<string | undefined>
  /** Ends the session; what is in flight is refused. */
  close(): void
}

export interface RemoteEntry {
  readonly name: string
  /** Seconds since 1970; `undefined` where the server does not tell. */
  readonly mtime: number | undefined
}

/** An open handle on the server. */
export interface RemoteFile {
  /** Resolves when the server acknowledged. The bytes are copied before the call returns. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** Reads the range; fewer bytes only at the end of the file. */
  read(range: ByteRange): Promise<Uint8Array>
  stat(): Promise<RemoteStat>
  /** Asks the server to put it on its disk; does nothing where that is not offered. */
  sync(): Promise<void>
  /** Resolves when the server said that closing succeeded: some servers report a failed write only here. */
  close(): Promise<void>
}

/** How sessions that are opened at the same time wait for each other. */
export interface LoginTurn {
  /** The host answers; it is not proven yet. */
  readonly onReached?: (() => void) | undefined
  readonly onLoggedIn?: (() => void) | undefined
  /** The login, not what comes before it, waits for this. */
  readonly mayLogIn?: Promise<void> | undefined
}

/** Opens a session: connects, proves the host, logs in. */
export type Connect = (signal: AbortSignal, turn?: LoginTurn) => Promise<Remote>

/** Keeps `.upload.meta` between attempts. A store has no failure that matters: it reports trouble itself, once. */
export interface StateStore {
  /**
   * The sealed texts that were saved last, one of each place where one was found; the signal ends the search.
   *
   * @throws UploadError when there is no session for it, nor for the upload; the next attempt asks again.
   */
  load(signal: AbortSignal): Promise<readonly string[]>
  /** Resolves when it is kept as far as this store can; a save that the signal stops is given up. */
  save(sealed: string, signal?: AbortSignal): Promise<void>
}

/** Time, for everything that waits. */
export interface Clock {
  now(): number
  /** Resolves after that many milliseconds; rejects with the signal's reason when it is aborted first. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** What happens, as it happens. */
export type UploadEvent =
  | { readonly type: 'connected'; readonly lanes: number }
  | {
      readonly type: 'decided'
      readonly file: PlannedFile
      readonly decision: ResumeDecision
      readonly keptBytes: number
    }
  /** What a run would decide; of a dry run. */
  | {
      readonly type: 'previewed'
      readonly file: PlannedFile
      readonly decision: ResumeDecision
      readonly keptBytes: number
    }
  | { readonly type: 'acknowledged'; readonly file: PlannedFile; readonly bytes: number }
  | {
      readonly type: 'retrying'
      readonly error: UploadError
      readonly delayMs: number
      readonly attempt: number
      readonly attempts: number
    }
  | { readonly type: 'finished'; readonly result: FileResult }
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string }

export type Emit = (event: UploadEvent) => void
