/** One of the runs that an upload took so far, for people: nothing is decided by it. */
export interface UploadRun {
  /** Milliseconds since 1970, by the clock of the machine that it ran on. */
  readonly startedMs: number
  /** When it was last seen to have sent more; as `startedMs`. */
  readonly endedMs: number
  /** Bytes that the server acknowledged. */
  readonly sentBytes: number
}

const MAX_RUNS = 8

/** The latest runs, with one more that sent something, in their order. */
export function withRun(runs: readonly UploadRun[], run: UploadRun): UploadRun[] {
  return run.sentBytes === 0 ? [...runs] : [...runs, run].slice(-MAX_RUNS)
}
