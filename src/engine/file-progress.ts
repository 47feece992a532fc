import type { Digest } from '../core/ledger.js'
import type { PlannedFile } from '../core/plan.js'
import type { FileResult } from '../core/report.js'
import type { UploadRecord } from '../core/resume.js'
import type { Attempt } from './context.js'
import type { Lane } from './lane.js'
import type { Source } from './ports.js'

/** A part file that waits for its final name. */
export interface WholePart {
  /** What the server says of it: seconds since 1970. */
  readonly mtime: number
  /** Of the local file whose bytes it has. */
  readonly version: string
}

/** One planned file on its way, over all attempts of a run. */
export interface FileProgress {
  readonly file: PlannedFile
  /** Of its record in the state, once that was needed. */
  name: string | undefined
  /** What is known of its upload: from an earlier run, then from this one. */
  record: UploadRecord | undefined
  /** Set while its part file is whole and not published. */
  whole: WholePart | undefined
  /** The version of the local file whose bytes every acknowledged block is known to have. */
  provenVersion: string | undefined
  /** Bytes that the server acknowledged in this run. */
  sentBytes: number
  /** Bytes of an earlier run that this one keeps. */
  reusedBytes: number
  /** SHA-256 of the whole local file that is, or is about to be, in place; `undefined` where it is not known. */
  digest: Digest | undefined
  /** What became of it, once that is settled. */
  result: FileResult | undefined
  /** When its first attempt began. */
  startedMs: number | undefined
  /** It was sent again from the start because the server's bytes turned out to be wrong; that happens once. */
  sentAgain: boolean
}

/** A file on its way within an attempt: with its open source, and a lane for all that is not a block. */
export interface FileTask {
  readonly progress: FileProgress
  readonly source: Source
  readonly lane: Lane
  readonly attempt: Attempt
}

/** A task whose upload has a record: every one after its decision. */
export interface RecordedTask extends FileTask {
  readonly record: UploadRecord
}

/** Of a file that nothing is known of yet. */
export function newProgress(file: PlannedFile): FileProgress {
  return {
    file,
    name: undefined,
    record: undefined,
    whole: undefined,
    provenVersion: undefined,
    sentBytes: 0,
    reusedBytes: 0,
    digest: undefined,
    result: undefined,
    startedMs: undefined,
    sentAgain: false
  }
}

/**
 * What of a file is on the server for good, as far as this run has looked; a published one counts a byte more than a whole
 * one that is not.
 */
export function reachedBytes({ record, startedMs }: Pick<FileProgress, 'record' | 'startedMs'>): number {
  if (record === undefined || startedMs === undefined) return 0
  return record.published === undefined ? record.ledger.acknowledgedBytes() : record.identity.size + 1
}
