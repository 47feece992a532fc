import type { Clock } from '../../src/engine/ports.js'

interface Timer {
  readonly at: number
  readonly fire: () => void
}

const HOUR_MS = 3_600_000
const MOST_STEPS = 300_000

/**
 * Virtual time: whoever waits for it is woken as soon as nothing else can happen, in the order of the timers. Work
 * that waits for something that never comes is found out, not waited for.
 */
export class MemoryClock implements Clock {
  /** All that was slept through its port, in milliseconds. */
  readonly sleeps: number[] = []
  /** Virtual time that one piece of work may take. */
  limitMs = 12 * HOUR_MS
  private nowMs = Date.UTC(2026, 0, 1)
  private timers: Timer[] = []

  now(): number {
    return this.nowMs
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    this.sleeps.push(milliseconds)
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error)
        return
      }
      const cancel = this.after(milliseconds, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      const stop = () => {
        cancel()
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  /** Calls back at that time; the result takes it back. */
  after(milliseconds: number, fire: () => void): () => void {
    const timer = { at: this.nowMs + milliseconds, fire }
    let from = 0
    let to = this.timers.length
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.timers[middle]?.at ?? 0) <= timer.at) from = middle + 1
      else to = middle
    }
    this.timers.splice(from, 0, timer)
    return () => {
      const at = this.timers.indexOf(timer)
      if (at >= 0) this.timers.splice(at, 1)
    }
  }

  /** Lets time pass until the work has ended. @throws Error when it hangs. */
  async until<T>(work: Promise<T>): Promise<T> {
    const endMs = this.nowMs + this.limitMs
    const state = { ended: false }
    const noteEnd = () => (state.ended = true)
    work.then(noteEnd, noteEnd)
    for (let steps = 0; ; steps++) {
      await new Promise(resolve => setImmediate(resolve))
      if (state.ended) return work
      if (!this.step()) throw new Error('it hangs: nothing is left that could happen')
      if (this.nowMs > endMs || steps > MOST_STEPS) throw new Error('it does not end: time passes and passes')
    }
  }

  /** Lets everything happen that is still to come. */
  async untilQuiet(): Promise<void> {
    do await new Promise(resolve => setImmediate(resolve))
    while (this.step())
  }

  /** Fires all timers of the next moment. */
  private step(): boolean {
    const next = this.timers[0]
    if (next === undefined) return false
    this.nowMs = next.at
    for (let timer = this.timers[0]; timer?.at === next.at; timer = this.timers[0]) {
      this.timers.shift()
      timer.fire()
    }
    return true
  }
}
