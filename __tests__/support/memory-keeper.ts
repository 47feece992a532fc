import type { Patience, StateKeeper } from '../../src/adapters/state/state-keeper.js'

/** A state keeper in memory; its faults are fields. */
export class MemoryKeeper implements StateKeeper {
  text: string | undefined
  /** Why loading, or saving, does not work. */
  loadFailure: Error | undefined
  saveFailure: Error | undefined
  /** A save takes this long, unless its limit or signal ends it. */
  saveMs = 0
  /** The limits of all saves so far, in milliseconds. */
  readonly limits: number[] = []

  constructor(readonly place: string) {}

  set failure(error: Error | undefined) {
    this.loadFailure = error
    this.saveFailure = error
  }

  load(): Promise<string | undefined> {
    return this.loadFailure === undefined ? Promise.resolve(this.text) : Promise.reject(this.loadFailure)
  }

  async save(sealed: string, { limitMs, signal }: Patience): Promise<void> {
    this.limits.push(limitMs)
    await new Promise<void>((resolve, reject) => {
      const inTime = this.saveMs <= limitMs
      const end = () => (inTime ? resolve() : reject(new Error(`no answer within ${limitMs / 1000} s`)))
      const timer = setTimeout(end, Math.min(this.saveMs, limitMs))
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(new Error('it was given up'))
      })
    })
    if (this.saveFailure !== undefined) throw this.saveFailure
    this.text = sealed
  }
}
