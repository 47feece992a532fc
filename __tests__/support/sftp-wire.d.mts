/** A request as the server reads it: `op` is a name such as `open`, `write`, `posixRename`. */
export interface SftpRequest {
  readonly op: string
  readonly id: number
  readonly path?: string
  /** Of a rename. */
  readonly newPath?: string
  /** Of an open. */
  readonly flags?: number
}

export interface SftpName {
  readonly name: string
  /** Without them the entry has no attributes. */
  readonly stats?: {
    readonly size: number
    readonly uid: number
    readonly gid: number
    readonly mode: number
    readonly atimeMs: number
    readonly mtimeMs: number
  }
}

export function formatVersion(extensions: readonly string[]): Buffer
export function formatStatus(id: number, code: number, message?: string): Buffer
export function formatHandle(id: number, handle: string | Buffer): Buffer
export function formatData(id: number, data: string | Buffer): Buffer
export function formatNames(id: number, entries: readonly SftpName[]): Buffer
export function formatAttributes(id: number, stats: Required<SftpName>['stats']): Buffer
/** The answer to limits@openssh.com: bytes, but for the handles. */
export function formatLimits(
  id: number,
  limits: readonly [packet: number, read: number, write: number, handles: number]
): Buffer
