import { isTransient, UploadError } from '../core/errors.js'
import type { Clock, Emit } from './ports.js'

const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 30_000

export interface RetryPolicy {
  /** Attempts in a row without progress that may follow the first. */
  readonly retries: number
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** How far everything has come; an attempt that loses what another one had reached is no progress. */
  readonly reached: () => number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Makes attempts until one succeeds. Waits 1, 2, 4, 8 … 30 s between them, less up to a half at random so that many
 * jobs do not come back at once; the count and the delays start over when an attempt made progress.
 *
 * @throws what the last attempt threw: a permanent error at once, a transient one when no retry is left.
 */
export async function retry<T>(policy: RetryPolicy, attempt: () => Promise<T>): Promise<T> {
  const { retries, clock, random, reached, emit, signal } = policy
  let furthest = reached()
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (reached() > furthest) {
        furthest = reached()
        failures = 1
      }
      if (!(error instanceof UploadError) || !isTransient(error) || failures > retries) throw error
      const delayMs = Math.round(delayAfter(failures) * (1 - random() / 2))
      emit({ type: 'retrying', error, delayMs, attempt: failures, attempts: retries })
      await clock.sleep(delayMs, signal)
    }
  }
}

function delayAfter(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS)
}
