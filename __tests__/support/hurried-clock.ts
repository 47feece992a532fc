import type { Clock } from '../../src/engine/ports.js'

/** A clock that goes so many times faster than the one on the wall, for what waits for seconds. */
export function hurriedClock(times: number): Clock {
  const startMs = Date.now()
  return {
    now: () => startMs + (Date.now() - startMs) * times,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error)
          return
        }
        const stop = () => {
          clearTimeout(timer)
          reject(signal.reason as Error)
        }
        const timer = setTimeout(() => {
          signal.removeEventListener('abort', stop)
          resolve()
        }, milliseconds / times)
        signal.addEventListener('abort', stop, { once: true })
      })
  }
}
