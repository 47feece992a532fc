import type { Lane } from './lane.js'

/** The blocks of one file that wait to be sent. */
export interface BlockSupply {
  /** Takes out the next block that this lane can send; `undefined` when there is none for it now. */
  take(lane: Lane): number | undefined
  /** Resolves when the block was handed over, or has become somebody else's; never rejects. */
  send(lane: Lane, block: number): Promise<void>
}

/** The one queue that all lanes take blocks from, the blocks of the file that came first before those of the next. */
export class BlockQueue {
  private readonly supplies = new Set<BlockSupply>()
  private readonly idle = new Set<() => void>()
  private closed = false

  add(supply: BlockSupply): void {
    this.supplies.add(supply)
    this.changed()
  }

  remove(supply: BlockSupply): void {
    this.supplies.delete(supply)
  }

  /** Call when a supply has blocks again, or blocks for lanes that it had none for. */
  changed(): void {
    for (const wake of this.idle) wake()
    this.idle.clear()
  }

  /** Sends blocks over the lane, one after the other, until the lane has ended or the queue is closed. */
  async serve(lane: Lane): Promise<void> {
    void lane.remote.ended.then(() => this.changed())
    while (!this.closed && lane.ended === undefined) {
      const sending = this.next(lane)
      if (sending === undefined) await new Promise<void>(resolve => this.idle.add(resolve))
      else await sending
    }
  }

  /** No lane takes another block. */
  close(): void {
    this.closed = true
    this.changed()
  }

  private next(lane: Lane): Promise<void> | undefined {
    for (const supply of this.supplies) {
      const block = supply.take(lane)
      if (block !== undefined) return supply.send(lane, block)
    }
    return undefined
  }
}
