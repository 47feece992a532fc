import { firstLine, isTransient, toUploadError, UploadError } from '../core/errors.js'
import { formatCount } from '../core/quantities.js'
import { CountedRemote } from './counted-remote.js'
import { Lane } from './lane.js'
import { MOST_TRIES, OpenHandles, TooManyOpen } from './open-handles.js'
import type { Clock, Connect, Emit, LoginTurn, Remote } from './ports.js'
import type { BlockQueue } from './block-queue.js'
import { Pace } from './pace.js'

/** Small files on their way over one lane at once. */
const FILES_PER_LANE = 512
/** Within this time a cut has ended all connections. */
const CUT_MS = 2_000

export interface LanesSettings {
  readonly connect: Connect
  /** The most connections. */
  readonly connections: number
  readonly queue: BlockQueue
  readonly emit: Emit
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The lanes of one attempt: the first is there from the start, others join while there is work for them. */
export class Lanes {
  private readonly live = new Set<Lane>()
  private joining = 0
  private refused = false
  /** Tells of the refusal, unless that was done. */
  private tellRefusal: (() => void) | undefined
  /** The first is still connecting. */
  private opening = true
  private readonly ending = new AbortController()
  private lastEnd = new UploadError('connection-lost', 'the connection is closed')
  /** Lanes that ended, which nobody was told of yet. */
  private lost = 0
  /** A lane ended in silence: the server may carry out late what it was sent. */
  hasStalled = false
  private readonly waiting: (() => void)[] = []
  private readonly handles = new OpenHandles()
  readonly pace = new Pace(() => this.wakeAll())
  /** On their way over any lane. */
  private files = 0
  /** Handles that were open when one was refused because of their number. */
  private mostOpen: number | undefined
  private hasToldMostOpen = false

  private constructor(private readonly settings: LanesSettings) {}

  /**
   * Connects the first lane in the background and, once the host answers, the others, until there are `wanted`. They log
   * in when the first has: what is refused once is not tried again at once. One of them that is refused means fewer
   * lanes, not a failure.
   */
  static open(settings: LanesSettings, wanted: number): Lanes {
    const lanes = new Lanes(settings)
    void lanes.start(Math.min(wanted, settings.connections))
    return lanes
  }

  /**
   * Uploads a file over the lane with the fewest of them, as soon as one has room for it.
   *
   * @throws UploadError `failure`, when there is no lane; what `upload` threw.
   */
  async use<T>(upload: (lane: Lane) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const lane = await this.take()
      try {
        const result = await upload(lane)
        if (tries > 1) this.tellMostOpen()
        return result
      } catch (error) {
        // Some servers report a lost connection in an answer: whatever it is, this session is not used again.
        if (isTransient(error)) lane.remote.close()
        if (!(error instanceof TooManyOpen)) throw error
        if (tries === MOST_TRIES) throw error.refusal
        this.mostOpen = error.open
      } finally {
        lane.files--
        this.files--
        this.waiting.shift()?.()
        this.handles.wake()
      }
      // With no other file on its way, nobody is left to close one.
      if (this.files > 0) await this.handles.closed()
    }
  }

  /** Why there is no lane any more; `undefined` while there is one, or the first is being opened. */
  get failure(): UploadError | undefined {
    return this.opening || this.live.size > 0 ? undefined : this.lastEnd
  }

  private get closed(): boolean {
    return this.ending.signal.aborted
  }

  /** The lane itself while it lives, else another one. @throws UploadError when none is left. */
  livingOr(lane: Lane): Lane {
    return lane.ended === undefined ? lane : this.least()
  }

  close(): void {
    this.ending.abort(new UploadError('connection-lost', 'the connection is closed'))
    for (const lane of this.live) lane.remote.close()
  }

  private least(): Lane {
    let least: Lane | undefined
    for (const lane of this.live) if (least === undefined || lane.files < least.files) least = lane
    if (least === undefined) throw this.lastEnd
    return least
  }

  private async take(): Promise<Lane> {
    for (;;) {
      const lane = this.opening ? undefined : this.least()
      const most = Math.min(FILES_PER_LANE, lane?.remote.maxOpenFiles ?? 0)
      const mostOfAll = Math.min(this.handles.mostFiles, this.pace.mostFiles)
      if (lane !== undefined && lane.files < most && this.files < mostOfAll) {
        lane.files++
        this.files++
        return lane
      }
      await new Promise<void>(resolve => this.waiting.push(resolve))
    }
  }

  private async start(count: number): Promise<void> {
    let logIn: () => void = () => undefined
    const mayLogIn = new Promise<void>(resolve => (logIn = resolve))
    try {
      await this.join({ onReached: () => this.grow(count, { mayLogIn }), onLoggedIn: logIn })
      this.grow(count)
    } catch (error) {
      this.lastEnd = toUploadError(error, 'connection-lost', 'connect')
      this.close()
      this.opening = false
      this.wakeAll()
    }
  }

  private grow(count: number, turn: LoginTurn = {}): void {
    while (!this.refused && !this.closed && this.live.size + this.joining < count) {
      this.join(turn).catch((error: unknown) => this.noteRefusal(error))
    }
  }

  private async join(turn: LoginTurn): Promise<void> {
    const { connect, signal, queue, emit } = this.settings
    let remote: Remote
    this.joining++
    try {
      const opened = await connect(AbortSignal.any([signal, this.ending.signal]), turn)
      remote = new CountedRemote(opened, this.handles)
    } finally {
      this.joining--
    }
    if (this.closed) {
      remote.close()
      return
    }
    const lane = new Lane(remote)
    this.live.add(lane)
    this.pace.noteLine(remote)
    this.opening = false
    this.wakeAll()
    void remote.ended.then(error => this.leave(lane, error))
    this.tellRefusal?.()
    // The first, and the last of those that follow it.
    if (this.live.size === 1 || this.joining === 0) emit({ type: 'connected', lanes: this.live.size })
    void queue.serve(lane)
  }

  private leave(lane: Lane, error: UploadError): void {
    this.live.delete(lane)
    this.lastEnd = error
    this.hasStalled ||= error.code === 'stalled'
    this.wakeAll()
    if (this.lost++ === 0) void this.tellLoss()
  }

  /** When a cut ends them all, the retry tells it in one line; here those are told of that others outlive. */
  private async tellLoss(): Promise<void> {
    const { clock, emit } = this.settings
    await clock.sleep(CUT_MS, this.ending.signal).catch(() => undefined)
    const { lost, lastEnd, live } = this
    this.lost = 0
    if (this.closed || live.size === 0) return
    const left = formatCount(live.size, 'connection')
    emit({
      type: 'notice',
      text: `${formatCount(lost, 'connection')} ended (${firstLine(lastEnd)}); ${left} left.`
    })
  }

  private noteRefusal(error: unknown): void {
    if (this.closed || this.refused || this.settings.signal.aborted) return
    this.refused = true
    const why = firstLine(toUploadError(error, 'connection-lost', 'connect'))
    const text = isTransient(error)
      ? `The server takes no further connection`
      : `A further connection was refused`
    this.tellRefusal = () => {
      this.tellRefusal = undefined
      const going = formatCount(this.live.size, 'connection')
      this.settings.emit({ type: 'notice', text: `${text} (${why}); going on with ${going}.` })
    }
    // When the first one fails, too, that says it all.
    if (!this.opening) this.tellRefusal()
  }

  /** A file got through that was refused before: the number of handles was the reason. */
  private tellMostOpen(): void {
    if (this.mostOpen === undefined || this.hasToldMostOpen) return
    this.hasToldMostOpen = true
    const most = formatCount(this.mostOpen, 'file')
    this.settings.emit({
      type: 'notice',
      text: `The server lets only ${most} be open at once; going on with fewer.`
    })
  }

  private wakeAll(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }
}
