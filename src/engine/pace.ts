import type { Remote } from './ports.js'

/** Files that are on their way at once at least. */
const LEAST = 64
/** For each millisecond of the round trip: some five times what a processor gets through in it, as a file takes several. */
const PER_ROUND_TRIP_MS = 40
/** For each millisecond that a file takes on a server that works slowly: less than a processor gets through in it. */
const PER_FILE_MS = 1

type Line = Pick<Remote, 'roundTripMs'>

/**
 * How many files are on their way at once: as many as keep the processor busy while answers are waited for. More would
 * wait for the processor, and meanwhile take memory and V8's time: docs/decisions/small-files.md.
 */
export class Pace {
  private readonly lines: Line[] = []
  private fastestMs: number | undefined

  constructor(private readonly onGrowth: () => void) {}

  /** Without limit until there is a line: what is read meanwhile need not be read later. */
  get mostFiles(): number {
    let roundTripMs = Infinity
    for (const line of this.lines) roundTripMs = Math.min(roundTripMs, line.roundTripMs)
    return Math.max(LEAST, PER_ROUND_TRIP_MS * roundTripMs, PER_FILE_MS * (this.fastestMs ?? 0))
  }

  noteLine(line: Line): void {
    this.lines.push(line)
  }

  /** A file took so long from its first request to its last answer. */
  noteFile(milliseconds: number): void {
    const isFirst = this.fastestMs === undefined
    this.fastestMs = Math.min(this.fastestMs ?? Infinity, milliseconds)
    if (isFirst) this.onGrowth()
  }
}
