import type { Attempts } from './attempts.js'
import type { UploadError } from './errors.js'
import type { Digest } from './ledger.js'
import type { PlannedFile } from './plan.js'
import type { Throughput } from './throughput.js'
import type { UploadRun } from './upload-run.js'

/** What became of one file. */
export interface FileResult {
  readonly file: PlannedFile
  /** `failed` covers every file that is not in place, whatever the cause; `planned` is one that a dry run would upload. */
  readonly status: 'uploaded' | 'skipped' | 'failed' | 'planned'
  /** Bytes that this attempt sent and the server acknowledged; a byte sent twice counts twice. */
  readonly sentBytes: number
  /** Bytes of the file that an earlier attempt had put on the server and that this one kept. */
  readonly reusedBytes: number
  /** Milliseconds from the first request for this file to its result. */
  readonly elapsedMs: number
  /** Of the whole file, where it is known without reading the file again. */
  readonly digest?: Digest | undefined
  readonly error?: UploadError | undefined
  /** Bytes that a re-run finds on the server and can keep; for a failed file. */
  readonly continuesWith?: number | undefined
}

/** What became of what is on the server below `remote-path` and no part of the upload. */
export interface Deletion {
  /** Paths, those of directories with a `/` at the end. */
  readonly removed: readonly string[]
  /** Paths that a dry run would remove. */
  readonly planned: readonly string[]
  /** Why not everything was, or would be, removed. */
  readonly error?: UploadError | undefined
}

/** How a run went on over time. */
export interface History {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Milliseconds from the start to the last event. */
  readonly elapsedMs: number
  readonly throughput: Throughput
  /** In their order; at least one. */
  readonly attempts: readonly Attempts[]
}

/** What an attempt did, file by file, in the order of the plan. */
export interface Report {
  readonly results: readonly FileResult[]
  /** Milliseconds. */
  readonly elapsedMs: number
  /** `undefined` when there was none. */
  readonly deletion?: Deletion | undefined
  readonly history?: History | undefined
  /** The runs of the same upload before this one, as far as the state tells. */
  readonly earlier?: readonly UploadRun[] | undefined
}

export interface Totals {
  readonly uploaded: number
  readonly resumed: number
  readonly skipped: number
  readonly failed: number
  readonly planned: number
  /** Bytes of all planned files. */
  readonly bytes: number
  readonly sentBytes: number
  readonly reusedBytes: number
  /** Bytes that a re-run does not have to send again, of files that are not in place yet. */
  readonly continuesWith: number
}

/** Adds the results up: files by what became of them, and bytes. */
export function totalsOf(results: readonly FileResult[]): Totals {
  const count = (wanted: (result: FileResult) => boolean) => results.filter(wanted).length
  const sum = (bytes: (result: FileResult) => number) =>
    results.reduce((total, result) => total + bytes(result), 0)
  return {
    uploaded: count(({ status }) => status === 'uploaded'),
    resumed: count(({ status, reusedBytes }) => status === 'uploaded' && reusedBytes > 0),
    skipped: count(({ status }) => status === 'skipped'),
    failed: count(({ status }) => status === 'failed'),
    planned: count(({ status }) => status === 'planned'),
    bytes: sum(({ file }) => file.size),
    sentBytes: sum(({ sentBytes }) => sentBytes),
    reusedBytes: sum(({ reusedBytes }) => reusedBytes),
    continuesWith: sum(({ continuesWith }) => continuesWith ?? 0)
  }
}

/** Whether every file is in place. */
export function stateOf({ failed, planned }: Totals): 'complete' | 'incomplete' {
  return failed + planned === 0 ? 'complete' : 'incomplete'
}
