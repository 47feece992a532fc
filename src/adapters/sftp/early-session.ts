import { abortable } from '../../engine/abortable.js'
import type { Connect, LoginTurn, Remote } from '../../engine/ports.js'

/** The first session of a run, opened before it is asked for: while files are searched. */
export class EarlySession {
  private readonly ending = new AbortController()
  private begun = false
  /** `undefined` before it is begun, and once somebody has it. */
  private opening: Promise<Remote> | undefined
  private ended = false
  private isReached = false
  private isLoggedIn = false
  private turn: LoginTurn = {}

  /** The signal gives up the opening. */
  constructor(
    private readonly open: Connect,
    private readonly signal: AbortSignal
  ) {}

  /** Begins to open it, unless that was done, or nobody will ask for it any more. */
  begin(): void {
    if (this.begun) return
    this.begun = true
    const onReached = () => {
      this.isReached = true
      this.turn.onReached?.()
    }
    const onLoggedIn = () => {
      this.isLoggedIn = true
      this.turn.onLoggedIn?.()
    }
    this.opening = this.open(AbortSignal.any([this.signal, this.ending.signal]), { onReached, onLoggedIn })
    this.opening
      .then(remote => remote.ended)
      .then(
        () => (this.ended = true),
        () => undefined
      )
  }

  /**
   * The first who asks gets it, or hears why it could not be opened. Others get sessions of their own, and so does who
   * asks when it has ended.
   */
  readonly connect: Connect = async (signal, turn = {}) => {
    const { opening } = this
    this.begun = true
    this.opening = undefined
    if (opening === undefined || this.ended) return this.open(signal, turn)
    this.turn = turn
    if (this.isReached) turn.onReached?.()
    if (this.isLoggedIn) turn.onLoggedIn?.()
    try {
      return await abortable(opening, signal)
    } catch (error) {
      this.giveUp(opening, error)
      throw error
    }
  }

  /** Nobody will ask for it any more. */
  close(): void {
    const { opening } = this
    this.begun = true
    this.opening = undefined
    if (opening !== undefined) this.giveUp(opening, new Error('nobody asked for the session'))
  }

  /** It may be open already. */
  private giveUp(opening: Promise<Remote>, reason: unknown): void {
    this.ending.abort(reason)
    opening.then(
      remote => remote.close(),
      () => undefined
    )
  }
}
