import { isTransient, toUploadError, UploadError } from '../core/errors.js'
import { formatCount } from '../core/quantities.js'
import { Lane } from './lane.js'
import type { Connect, Emit } from './ports.js'
import type { BlockQueue } from './block-queue.js'

/** Small files on their way over one lane at once. */
const FILES_PER_LANE = 256

export interface LanesSettings {
  readonly connect: Connect
  /** The most connections. */
  readonly connections: number
  readonly queue: BlockQueue
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** The lanes of one attempt: the first is there from the start, others join while there is work for them. */
export class Lanes {
  private readonly live = new Set<Lane>()
  private joining = 0
  private refused = false
  private readonly ending = new AbortController()
  private lastEnd: UploadError | undefined
  private readonly waiting: (() => void)[] = []

  private constructor(private readonly settings: LanesSettings) {}

  /**
   * Connects the first lane and, in the background, once it has proven the host, the others, until there are `wanted`.
   * These are a few round trips behind: when the first login is refused, they have not tried theirs. One of them that is
   * refused means fewer lanes, not a failure.
   *
   * @throws UploadError as `Connect` does, for the first.
   */
  static async open(settings: LanesSettings, wanted: number): Promise<Lanes> {
    const lanes = new Lanes(settings)
    const count = Math.min(wanted, settings.connections)
    try {
      await lanes.join(() => lanes.grow(count))
    } catch (error) {
      lanes.close()
      throw error
    }
    lanes.grow(count)
    return lanes
  }

  /**
   * Takes the lane with the fewest files for one more, as soon as one has room for it. Give it back with `release`.
   *
   * @throws UploadError why the last lane ended, when there is none.
   */
  async take(): Promise<Lane> {
    for (;;) {
      const lane = this.least()
      if (lane.files < Math.min(FILES_PER_LANE, lane.remote.maxOpenFiles)) {
        lane.files++
        return lane
      }
      await new Promise<void>(resolve => this.waiting.push(resolve))
    }
  }

  release(lane: Lane): void {
    lane.files--
    this.waiting.shift()?.()
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
    if (least === undefined)
      throw this.lastEnd ?? new UploadError('connection-lost', 'the connection is closed')
    return least
  }

  private grow(count: number): void {
    while (!this.refused && !this.closed && this.live.size + this.joining < count) {
      this.join().catch((error: unknown) => this.noteRefusal(error))
    }
  }

  private async join(onHostProven?: () => void): Promise<void> {
    this.joining++
    try {
      await this.connect(onHostProven)
    } finally {
      this.joining--
    }
  }

  private async connect(onHostProven?: () => void): Promise<void> {
    const { connect, signal, queue, emit } = this.settings
    const remote = await connect(AbortSignal.any([signal, this.ending.signal]), onHostProven)
    if (this.closed) {
      remote.close()
      return
    }
    const lane = new Lane(remote)
    this.live.add(lane)
    this.wakeAll()
    void remote.ended.then(error => this.leave(lane, error))
    emit({ type: 'connected', lanes: this.live.size })
    void queue.serve(lane)
  }

  private leave(lane: Lane, error: UploadError): void {
    this.live.delete(lane)
    this.lastEnd = error
    this.wakeAll()
    if (this.closed || this.live.size === 0) return
    const left = formatCount(this.live.size, 'connection')
    this.settings.emit({ type: 'notice', text: `One connection ended (${error.message}); ${left} left.` })
  }

  private noteRefusal(error: unknown): void {
    if (this.closed || this.refused || this.settings.signal.aborted) return
    this.refused = true
    const { message } = toUploadError(error, 'connection-lost', 'connect')
    const going = formatCount(Math.max(1, this.live.size), 'connection')
    const text = isTransient(error)
      ? `The server takes no further connection`
      : `A further connection was refused`
    this.settings.emit({ type: 'notice', text: `${text} (${message}); going on with ${going}.` })
  }

  private wakeAll(): void {
    for (const wake of this.waiting.splice(0)) wake()
  }
}
