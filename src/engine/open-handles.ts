import type { UploadError } from '../core/errors.js'

/** The server refused, without a reason of its own, to open something while others were open: it may take it later. */
export class TooManyOpen extends Error {
  override readonly name = 'TooManyOpen'

  constructor(
    readonly refusal: UploadError,
    /** Handles that were open then. */
    readonly open: number
  ) {
    super(refusal.message, { cause: refusal })
  }
}

/** How often an opening is asked for that is refused because of the number of handles. */
export const MOST_TRIES = 6

/** How a file is opened. */
export type Opening = 'create' | 'reopen' | 'read'

/** The open handles of a session, and how many the server lets open at once, as far as its refusals tell. */
export class HandleCount {
  open = 0
  most = Infinity
  /** Opened so far. */
  private granted = 0

  /** Files that may be on their way at once: one handle is left for directories and for the state. */
  get mostFiles(): number {
    return Math.max(1, this.most - 1)
  }

  /** For `othersSince`. */
  mark(): number {
    return this.open - this.granted
  }

  /** How many others were open at some time since the mark. */
  othersSince(mark: number): number {
    return mark + this.granted
  }

  noteOpened(): void {
    this.open++
    this.granted++
    // Whatever was refused before, that was not the reason.
    this.most = Math.max(this.most, this.open)
  }
}

/** The open handles of all sessions. */
export class OpenHandles extends HandleCount {
  /** A server that never let a file be read, or be opened again, has other reasons. */
  readonly opened = new Set<Opening>()
  private waiting: (() => void)[] = []
  /** Openings without an answer. */
  readonly asked = new Set<Promise<unknown>>()

  /** Resolves when all openings are answered that are in flight: a server may answer in any order. */
  async answered(): Promise<void> {
    await Promise.allSettled(this.asked)
  }

  /** Resolves when a handle was closed; at once when none is open. */
  async closed(): Promise<void> {
    if (this.open > 0) await new Promise<void>(resolve => this.waiting.push(resolve))
  }

  noteClosed(count: number): void {
    this.open -= count
    this.wake()
  }

  /** Has whoever waits look again. */
  wake(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }
}
