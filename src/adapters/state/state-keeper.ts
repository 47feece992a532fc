/** A place outside of the job that holds one `.upload.meta`, where the next attempt finds it. */
export interface StateKeeper {
  /** For people, as in `it is kept … `: `on the server, in www/.4f….upload.meta`. */
  readonly place: string
  /**
   * What it holds, if anything.
   *
   * @throws Error whose message is a clause that says why it cannot be known; UploadError `unsupported` where there is
   *   no such place; another UploadError when there is no session for it, nor for the upload.
   */
  load(signal: AbortSignal): Promise<string | undefined>
  /**
   * Replaces what it holds.
   *
   * @throws Error as `load` does, and when the time is over or the signal is aborted.
   */
  save(sealed: string, patience: Patience): Promise<void>
}

/** How long somebody waits. */
export interface Patience {
  readonly limitMs: number
  readonly signal: AbortSignal | undefined
}
