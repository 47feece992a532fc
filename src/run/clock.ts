import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../engine/ports.js'

/** The time of this machine. */
export const clock: Clock = {
  now: () => Date.now(),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/** Runs something again and again until the function that is returned is called. */
export function every(milliseconds: number, run: () => void): () => void {
  const timer = setInterval(run, milliseconds)
  return () => clearInterval(timer)
}
