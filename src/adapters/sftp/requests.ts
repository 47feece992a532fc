import { toUploadError, UploadError } from '../../core/errors.js'
import { refusal, statusOf } from './status.js'

type Answer<T> = (error: Error | null | undefined, value: T) => void

/** Asks the server, and has the answer told. */
type Request<T> = (answer: Answer<T>) => void

interface Asked {
  readonly reject: (error: UploadError) => void
  /** It may take minutes. */
  readonly slow: boolean
}

/** How many times longer than the stall time-out a slow request may take. */
const SLOW_FACTOR = 5

/**
 * The requests of one session. ssh2 settles what is in flight when a connection ends, and never settles what is asked
 * afterwards (mscdex/ssh2 #1490): here everything is refused then. Silence for longer than the stall time-out while
 * something is in flight ends the session.
 */
export class Requests {
  private readonly asked = new Set<Asked>()
  /** Milliseconds that an answer took at least; `undefined` until there is one. */
  fastestMs: number | undefined
  private endedWith: UploadError | undefined
  private quietSince = 0
  private readonly watch: NodeJS.Timeout

  constructor(
    private readonly stallTimeoutMs: number,
    private readonly onStall: (error: UploadError) => void
  ) {
    this.watch = setInterval(() => this.endIfStalled(), Math.min(1000, stallTimeoutMs / 4)).unref()
  }

  /** Whether an answer is waited for. */
  get areInFlight(): boolean {
    return this.asked.size > 0
  }

  /** Milliseconds for which what is in flight had no answer. */
  get quietMs(): number {
    return this.areInFlight ? performance.now() - this.quietSince : 0
  }

  /** @throws UploadError the server's refusal, `connection-lost`, or `stalled`. */
  ask<T>(doing: string, request: Request<T>): Promise<T> {
    return this.send(doing, request, { slow: false })
  }

  /** For closing, renaming and what else may take minutes on object stores. @throws UploadError as `ask` does. */
  askPatiently<T>(doing: string, request: Request<T>): Promise<T> {
    return this.send(doing, request, { slow: true })
  }

  /** Refuses everything that is in flight and all that is asked later. */
  end(error: UploadError): void {
    if (this.endedWith !== undefined) return
    this.endedWith = error
    clearInterval(this.watch)
    for (const { reject } of this.asked) reject(error)
    this.asked.clear()
  }

  private send<T>(doing: string, request: Request<T>, { slow }: Pick<Asked, 'slow'>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.endedWith !== undefined) {
        reject(new UploadError(this.endedWith.code, `${doing}: ${this.endedWith.message}`))
        return
      }
      const asked = { reject, slow }
      const askedMs = performance.now()
      if (this.asked.size === 0) this.quietSince = askedMs
      this.asked.add(asked)
      const settle = (how: () => void) => {
        if (!this.asked.delete(asked)) return
        const nowMs = performance.now()
        this.quietSince = nowMs
        this.fastestMs = Math.min(this.fastestMs ?? Infinity, nowMs - askedMs)
        how()
      }
      try {
        request((error, value) => {
          if (!error) settle(() => resolve(value))
          else if (statusOf(error) !== undefined) settle(() => reject(refusal(error, doing)))
          // ssh2 gives up what is in flight just before it says why: `end` knows more.
          else setImmediate(() => settle(() => reject(refusal(error, doing))))
        })
      } catch (error) {
        settle(() => reject(toUploadError(error, 'protocol', doing)))
      }
    })
  }

  private endIfStalled(): void {
    if (this.asked.size === 0) return
    const isSlow = [...this.asked].some(({ slow }) => slow)
    const limitMs = this.stallTimeoutMs * (isSlow ? SLOW_FACTOR : 1)
    const { quietMs } = this
    if (quietMs <= limitMs) return
    this.onStall(new UploadError('stalled', `the server has been silent for ${Math.round(quietMs / 1000)} s`))
  }
}
