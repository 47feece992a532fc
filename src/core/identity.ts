import type { Digest } from './ledger.js'
import { formatBytes, formatNumber } from './quantities.js'

/**
 * How much evidence is asked for, before an upload is resumed and before a file is published.
 *
 * | mode | before resuming, besides the digest of every kept block | before publishing, the server must show |
 * |---|---|---|
 * | `size` | the recorded size | the size |
 * | `timestamp` | + the recorded mtime | the size |
 * | `tail` | + the recorded SHA-256 of the last 1 MiB | + the last 1 MiB, read back |
 * | `full` | the recorded size | + the SHA-256 of the whole file |
 */
export type VerifyMode = 'size' | 'timestamp' | 'tail' | 'full'

export const VERIFY_MODES: readonly VerifyMode[] = ['size', 'timestamp', 'tail', 'full']

/** Length of the tail that is told apart by its digest, in bytes. */
export const TAIL_LENGTH = 1024 * 1024

/** What tells a changed local file from the one that an upload began with. */
export interface Identity {
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970, with the fraction that the file system keeps. */
  readonly mtimeMs: number
  /** SHA-256 of the last 1 MiB; recorded only where an upload can be continued at all. */
  readonly tail?: Digest | undefined
}

/**
 * Says in words which value differs between the recorded and today's file, as far as `mode` asks; `undefined` when
 * they are the same file.
 */
export function identityDifference(
  recorded: Identity,
  today: Identity,
  mode: VerifyMode
): string | undefined {
  if (recorded.size !== today.size) {
    return `the local file's size was ${formatBytes(recorded.size)} (${formatNumber(recorded.size)} bytes) and is ${formatBytes(today.size)} (${formatNumber(today.size)} bytes)`
  }
  switch (mode) {
    case 'size':
    case 'full':
      return undefined
    case 'timestamp':
      return recorded.mtimeMs === today.mtimeMs
        ? undefined
        : `the local file's modification time was ${isoTime(recorded.mtimeMs)} and is ${isoTime(today.mtimeMs)} (a checkout, a build or a download always changes it)`
    case 'tail':
      return recorded.tail === today.tail ? undefined : "the SHA-256 of the local file's last 1 MiB differs"
  }
}

/** `NAME.<id>.part` beside the target: `id` is drawn anew for every upload that starts from zero. */
export function partPath(remotePath: string, id: string): string {
  return `${remotePath}.${id}.part`
}

const PART_NAME = /^(.+)\.[0-9a-f]{8}\.part$/s

/** The name of the target that a part file of this name belongs to; `undefined` when it is no part file. */
export function targetOfPart(name: string): string | undefined {
  return PART_NAME.exec(name)?.[1]
}

/** No calendar has a date for every number that a file system can hold. */
function isoTime(milliseconds: number): string {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? `${milliseconds} ms after 1970` : date.toISOString()
}
