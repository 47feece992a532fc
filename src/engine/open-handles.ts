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

/** What was open when a request was sent, and how many had been opened until then. */
export interface HandleMark {
  readonly open: number
  readonly granted: number
}

/** The open handles of a session, and how many the server lets open at once, as far as its refusals tell. */
export class HandleCount {
  open = 0
  most = Infinity
  private granted = 0
  /** The openings after which as many were never open again: the earliest first, with the most. */
  private readonly peaks: HandleMark[] = []

  /** Files that may be on their way at once: one handle is left for directories and for the state. */
  get mostFiles(): number {
    return Math.max(1, this.most - 1)
  }

  mark(): HandleMark {
    return { open: this.open, granted: this.granted }
  }

  /** How many others were open at some time since the mark. */
  othersSince({ open, granted }: HandleMark): number {
    return open + this.granted - granted
  }

  /** How many were open at once since the mark, at most. */
  peakSince(mark: HandleMark): number {
    const peak = this.peaks.find(({ granted }) => granted > mark.granted)
    return Math.max(mark.open, peak?.open ?? 0)
  }

  noteOpened(): void {
    this.open++
    this.granted++
    while ((this.peaks.at(-1)?.open ?? Infinity) <= this.open) this.peaks.pop()
    this.peaks.push(this.mark())
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
