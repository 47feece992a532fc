import { blockRange, blockSizeFor, type ByteRange } from '../core/blocks.js'
import { isRefusal, isTransient, toUploadError } from '../core/errors.js'
import type { Digest, Ledger } from '../core/ledger.js'
import type { BlockQueue, BlockSupply } from './block-queue.js'
import { TooManyOpen } from './open-handles.js'
import { joinPart, JoinSpoiledPart } from './join-part.js'
import type { Lane } from './lane.js'
import type { PartFile } from './part-file.js'
import type { RemoteFile, Source } from './ports.js'
import { sendRange } from './send-range.js'
import { tellingSample } from './telling-sample.js'

export interface TransferTask {
  readonly source: Source
  readonly ledger: Ledger
  readonly part: PartFile
  /** Only the lane that opened the part file writes into it. */
  readonly oneLane: boolean
  readonly onAcknowledged: (bytes: number) => void
}

/**
 * Sends the missing blocks of a file over all lanes that can take them, and enters each into the ledger when the
 * server acknowledged it. Nothing is in flight any more when it returns or throws.
 *
 * @throws UploadError the first permanent failure, or why the last lane with a handle ended.
 * @throws JoinSpoiledPart when the file has to be sent again, over one lane.
 */
export async function transfer(task: TransferTask, queue: BlockQueue): Promise<void> {
  const blocks = new MissingBlocks(task, queue)
  queue.add(blocks)
  try {
    await blocks.done
  } finally {
    queue.remove(blocks)
  }
}

class MissingBlocks implements BlockSupply {
  readonly done: Promise<void>
  private readonly waiting: number[]
  private readonly unfit = new Set<Lane>()
  private readonly proofs = new Map<Lane, Promise<void>>()
  private inFlight = 0
  private failure: Error | undefined
  /** Whether a lane without a handle may join: one that took a block and gave it back would break the order. */
  private isOpenToOthers = false
  /** What a lane reads back when it joins: acknowledged, and telling. */
  private sample: ByteRange | undefined
  /** What is sent is to give a sample; not while what is kept may have one. */
  private seeksSample: boolean
  private settle: () => void = () => undefined

  constructor(
    private readonly task: TransferTask,
    private readonly queue: BlockQueue
  ) {
    this.waiting = task.ledger.missing()
    this.seeksSample = task.ledger.acknowledgedBytes() === 0
    this.done = new Promise((resolve, reject) => {
      this.settle = () => {
        if (this.inFlight > 0) return
        if (this.failure !== undefined) reject(this.failure)
        else if (this.waiting.length === 0) resolve()
      }
    })
    this.watch(task.part.home)
    if (!task.oneLane) void this.letOthersJoin()
    this.settle()
  }

  take(lane: Lane): number | undefined {
    if (this.failure !== undefined || !this.mayWrite(lane)) return undefined
    const block = this.waiting.shift()
    if (block !== undefined) this.inFlight++
    return block
  }

  async send(lane: Lane, block: number): Promise<void> {
    try {
      const { source, ledger, part, onAcknowledged } = this.task
      const handle = part.handleOf(lane) ?? (await this.join(lane))
      const range = blockRange(ledger.fileSize, block)
      const isSought = this.seeksSample && this.sample === undefined
      const onSample = isSought ? (sample: ByteRange) => this.noteSample(sample) : undefined
      void this.enter(lane, block, await sendRange({ source, range, lane, handle, onAcknowledged, onSample }))
    } catch (error) {
      this.giveBack(lane, block, error)
    }
  }

  /** A lane without a handle may join when there is something acknowledged for it to read back. */
  private mayWrite(lane: Lane): boolean {
    if (this.unfit.has(lane)) return false
    if (this.task.part.handleOf(lane) !== undefined) return true
    return this.isOpenToOthers && this.sample !== undefined
  }

  private async letOthersJoin(): Promise<void> {
    const { ledger, source, part } = this.task
    if (!(await part.canBeRead)) return
    if (!this.seeksSample) {
      // A local file that cannot be read fails when its blocks are sent.
      this.sample = await tellingSample(ledger, source).catch(() => undefined)
      this.seeksSample = true
    }
    this.isOpenToOthers = true
    this.queue.changed()
  }

  private noteSample(sample: ByteRange): void {
    this.sample ??= sample
    this.queue.changed()
  }

  private async join(lane: Lane): Promise<RemoteFile> {
    const { part, source } = this.task
    const { sample } = this
    if (sample === undefined) throw new RangeError('a lane joins when there is something to read back')
    const { handle, proven } = await joinPart(lane.remote, part, sample, source)
    part.join(lane, handle)
    this.proofs.set(lane, proven)
    this.watch(lane)
    return handle
  }

  private watch(lane: Lane): void {
    void lane.remote.ended.then(() => {
      this.failure ??= this.task.part.lost
      this.settle()
    })
  }

  private async enter(lane: Lane, block: number, answer: () => Promise<Digest>): Promise<void> {
    const { ledger } = this.task
    try {
      const digest = await answer()
      await this.proofs.get(lane)
      ledger.acknowledge(block, digest)
      this.inFlight--
      this.settle()
    } catch (error) {
      this.giveBack(lane, block, error)
    }
  }

  /** The block of a lost lane, or of a second writer that is refused, waits for another; any other failure is the file's. */
  private giveBack(lane: Lane, block: number, error: unknown): void {
    const { part, ledger } = this.task
    this.inFlight--
    // What is sent once more tells nothing of the time before.
    if (this.sample !== undefined && Math.floor(this.sample.offset / blockSizeFor(ledger.fileSize)) === block)
      this.sample = undefined
    // Some servers report a lost connection in an answer: whatever it is, this session is not used again.
    if (isTransient(error) && lane.ended === undefined) lane.remote.close()
    if (error instanceof JoinSpoiledPart) {
      this.failure ??= error
    } else if (
      isTransient(error) ||
      (lane !== part.home && (isRefusal(error) || error instanceof TooManyOpen))
    ) {
      this.unfit.add(lane)
      if (lane !== part.home) part.leave(lane)
      this.waiting.unshift(block)
      this.failure ??= part.lost
      this.queue.changed()
    } else {
      this.failure ??= toUploadError(error, 'server-failure', `write ${part.path}`)
    }
    this.settle()
  }
}
