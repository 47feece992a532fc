import { setMaxListeners } from 'node:events'
import { UploadError } from '../../src/core/errors.js'
import type { Link } from '../support/link.mjs'
import type { SftpServer } from '../support/sftp-server.mjs'
import type { SftpRequest } from '../support/sftp-wire.mjs'
import type { AttemptPlan, Trouble } from './scenario.js'

interface Stage {
  readonly link: Link
  readonly server: SftpServer
  /** Of all files. */
  readonly bytes: number
  /** Changes a local file. */
  readonly change: () => void
}

/** Bytes that a login takes, about. */
const LOGIN_BYTES = 3_000

/** What goes wrong in one attempt, each at its moment. */
export class Troubles {
  /** The process is gone, without a word: whatever it would still do is of no account. */
  isKilled = false
  /** Something went wrong: what a run does in the background may not have been done. */
  haveHappened = false
  private readonly stop = new AbortController()
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly answered = new Map<string, number>()
  private checkpoints = 0
  private isOver = false

  constructor(
    private readonly plan: Pick<AttemptPlan, 'troubles'>,
    private readonly stage: Stage | undefined
  ) {
    // Each of many files may wait for it.
    setMaxListeners(0, this.stop.signal)
  }

  static none(): Troubles {
    return new Troubles({ troubles: [] }, undefined)
  }

  /** Aborted when the run is told to stop, or killed. */
  get signal(): AbortSignal {
    return this.stop.signal
  }

  begin(): void {
    const { plan, stage } = this
    if (stage === undefined) return
    for (const trouble of plan.troubles) {
      const { when, what } = trouble
      if (when.at !== 'handshake' && when.at !== 'byte') continue
      const bytes = when.at === 'handshake' ? when.byte : LOGIN_BYTES + Math.floor(when.share * stage.bytes)
      if (what === 'reset') void stage.link.cutAfter(bytes).then(() => (this.haveHappened = true))
      else void stage.link.waitFor(stage.link.sent + bytes).then(() => this.happen(trouble))
    }
  }

  /** The server has done what it was asked for: whether the answer is lost. */
  loses({ op }: SftpRequest): boolean {
    const nth = this.answered.get(op) ?? 0
    this.answered.set(op, nth + 1)
    const due = this.plan.troubles.filter(
      ({ when }) => when.at === 'answer' && when.to === op && when.nth === nth
    )
    for (const trouble of due) this.happen(trouble)
    return due.some(({ what }) => what === 'reset' || what === 'hang-up' || what === 'kill')
  }

  /** A checkpoint is about to be saved. */
  checkpoint(): void {
    const nth = this.checkpoints++
    for (const trouble of this.plan.troubles) {
      if (trouble.when.at === 'checkpoint' && trouble.when.nth === nth) this.happen(trouble)
    }
  }

  /** The line is well again. */
  end(): void {
    this.isOver = true
    for (const timer of this.timers) clearTimeout(timer)
    if (this.stage === undefined) return
    const { link } = this.stage
    link.refuse = false
    link.cut()
    link.resume()
  }

  private happen({ what, lasts }: Trouble): void {
    if (this.isOver || this.stage === undefined) return
    const { link, server, change } = this.stage
    this.haveHappened = true
    switch (what) {
      case 'reset':
        link.cut()
        break
      case 'hang-up':
        server.dropConnections()
        break
      case 'dark':
        link.pause()
        this.after(lasts, () => {
          link.cut()
          link.resume()
        })
        break
      case 'away':
        link.refuse = true
        link.cut()
        this.after(lasts, () => (link.refuse = false))
        break
      case 'kill':
        this.isKilled = true
        link.refuse = true
        link.cut()
        this.stop.abort(new UploadError('cancelled', 'killed'))
        break
      case 'cancel':
        this.stop.abort(new UploadError('cancelled', 'told to stop'))
        break
      case 'change':
        change()
    }
  }

  private after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      act()
    }, milliseconds)
    this.timers.add(timer)
  }
}
