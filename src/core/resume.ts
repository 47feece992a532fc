import { blockRange } from './blocks.js'
import type { Claim } from './claim.js'
import { identityDifference, type Identity, type VerifyMode } from './identity.js'
import type { Ledger } from './ledger.js'
import { formatBytes } from './quantities.js'

/** What the server says of a file: `size` in bytes, `mtime` in seconds since 1970 (SFTP version 3 knows no more). */
export interface RemoteStat {
  readonly size: number
  readonly mtime: number
  readonly mode: number
  readonly isDirectory: boolean
}

/** What an earlier attempt left, in `.upload.meta` or in memory. */
export interface UploadRecord {
  readonly partId: string
  readonly identity: Identity
  readonly ledger: Ledger
  /** Of a record that was loaded: others may have loaded it, too, and whoever goes on with its part file claims it first. */
  readonly claim?: Claim | undefined
  /** Blocks that were sent are to be sent with other bytes, while an older state may still hold their digests. */
  readonly rebuilt?: boolean | undefined
  /** A session that wrote to the part file ended without a word from the server, which may carry out its writes late. */
  readonly lateWrites?: boolean | undefined
  /** The part file was closed and verified, and has its attributes: only its rename is missing. */
  readonly whole?: boolean | undefined
  /** Set before the part file is renamed: the answer to a rename can be lost. */
  readonly publishing?: boolean | undefined
  /** Ids of part files that were given up: a dead session may still make one, an interrupted swap leaves an old copy. */
  readonly abandoned?: readonly string[] | undefined
  /** What the server said of the target after the rename. */
  readonly published?: { readonly size: number; readonly mtime: number } | undefined
}

export type ResumeDecision =
  | { readonly action: 'skip'; readonly why: string }
  | { readonly action: 'start'; readonly why: string; readonly discard: boolean }
  | { readonly action: 'continue'; readonly why: string }
  /** The part file is whole: it is proven, and nothing is sent. */
  | { readonly action: 'keep'; readonly why: string }
  /** The rename may have happened: the target has to be read to know. */
  | { readonly action: 'confirm'; readonly why: string }

export interface ResumeEvidence {
  /** Of today's local file. */
  readonly identity: Identity
  readonly verify: VerifyMode
  readonly record: UploadRecord | undefined
  /** Of the recorded part file, if it is there. */
  readonly part: RemoteStat | undefined
  /** Of the target, if it is there. */
  readonly target: RemoteStat | undefined
  /** Late writes may put other bytes in place of those that are sent from now on. */
  readonly isInReach: boolean
}

/**
 * Decides how a file's upload goes on. The record's ledger holds only blocks whose digest today's local file still
 * has; those that lie beyond the part file's end are taken out of it here.
 *
 * `discard` tells that the recorded part file is there and of no more use.
 */
export function decideResume(evidence: ResumeEvidence): ResumeDecision {
  const { identity, verify, record, part, target, isInReach } = evidence
  if (record === undefined) return { action: 'start', why: 'no earlier upload is known', discard: false }
  const discard = part?.isDirectory === false

  if (record.published !== undefined && record.ledger.complete() && record.identity.size === identity.size) {
    const { size, mtime } = record.published
    if (target?.size === size && target.mtime === mtime && !target.isDirectory) {
      return { action: 'skip', why: 'it is in place and unchanged' }
    }
    const found = target === undefined ? 'is gone' : 'is not the one that was published'
    return { action: 'start', why: `the file on the server ${found}`, discard }
  }

  const difference = identityDifference(record.identity, identity, verify)
  if (difference !== undefined) return { action: 'start', why: difference, discard }
  if (record.published !== undefined) {
    return { action: 'start', why: 'the local file changed since it was published', discard }
  }
  if (part === undefined || part.isDirectory) {
    return (record.publishing === true || record.whole === true) &&
      record.ledger.complete() &&
      target?.size === identity.size &&
      !target.isDirectory
      ? { action: 'confirm', why: 'it may have its final name already' }
      : { action: 'start', why: 'the part file is gone from the server', discard }
  }
  if (part.size > identity.size) {
    const longer = `the part file has ${formatBytes(part.size)}, more than the local file's ${formatBytes(identity.size)}`
    return { action: 'start', why: longer, discard }
  }

  forgetBeyond(record.ledger, part.size)
  if (record.whole === true && record.ledger.complete())
    return { action: 'keep', why: 'all of it is on the server' }
  const kept = record.ledger.acknowledgedBytes()
  if (kept === 0 && identity.size > 0)
    return { action: 'start', why: 'nothing that was sent can be kept', discard }
  if (isInReach) {
    const why = 'it was rebuilt, and writes of a lost session may still reach its part file'
    return { action: 'start', why, discard }
  }
  return {
    action: 'continue',
    why: `${formatBytes(kept)} of ${formatBytes(identity.size)} are already on the server`
  }
}

function forgetBeyond(ledger: Ledger, size: number): void {
  for (const index of ledger.acknowledged()) {
    const { offset, length } = blockRange(ledger.fileSize, index)
    if (offset + length > size) ledger.forget(index)
  }
}
