import type { ErrorCode } from './errors.js'

/** Attempts of a run, one after the other, over connections of their own; times are in milliseconds since its start. */
export interface Attempts {
  /** More than one where there were too many to tell them one by one. */
  readonly count: number
  readonly startMs: number
  readonly endMs: number
  /** Bytes that the server acknowledged. */
  readonly sentBytes: number
  /** Why the last of them ended early; `undefined` when it did not. */
  readonly failure: ErrorCode | undefined
}

/** An even number. */
const MAX_ENTRIES = 12

/** Follows the attempts of a run; when there are too many, the older ones are told two by two, then four by four. */
export class AttemptLog {
  private ended: Attempts[] = []
  private startMs = 0
  private sentBytes = 0

  add(bytes: number): void {
    this.sentBytes += bytes
  }

  /** The attempt ended early; the next one begins after the delay. */
  fail(atMs: number, failure: ErrorCode, delayMs: number): void {
    if (this.ended.length === MAX_ENTRIES) this.ended = inPairs(this.ended)
    this.ended.push(this.current(atMs, failure))
    this.startMs = Math.max(atMs + delayMs, this.startMs)
    this.sentBytes = 0
  }

  /** All attempts when the run ends; one that was still being waited for is none. */
  until(atMs: number): Attempts[] {
    return this.startMs > atMs && this.ended.length > 0
      ? this.ended
      : [...this.ended, this.current(atMs, undefined)]
  }

  private current(atMs: number, failure: ErrorCode | undefined): Attempts {
    const { startMs, sentBytes } = this
    return { count: 1, startMs, endMs: Math.max(atMs, startMs), sentBytes, failure }
  }
}

function inPairs(entries: readonly Attempts[]): Attempts[] {
  return entries.flatMap((first, index) => {
    const second = entries[index + 1]
    if (index % 2 === 1 || second === undefined) return []
    const { endMs, failure } = second
    const count = first.count + second.count
    return [{ count, startMs: first.startMs, endMs, sentBytes: first.sentBytes + second.sentBytes, failure }]
  })
}
