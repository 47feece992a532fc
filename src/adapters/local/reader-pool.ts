import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { ReadAnswer, ReadRequest } from './read-worker.mjs'

/** Bytes of one slot of the shared memory: the longest slice. */
export const SLOT_LENGTH = 512 * 1024
const SLOTS = 8
const MOST_WORKERS = 4

type Read = Omit<ReadRequest, 'id' | 'stream'>

export type ReadPiece = (read: Read) => Promise<ReadAnswer>

interface Waiting {
  readonly resolve: (answer: ReadAnswer) => void
  readonly reject: (error: Error) => void
}

export interface ReaderPoolSettings {
  /** Whether anybody will ask for the digests of blocks that are sent: with no state to keep, hashing them is in vain. */
  readonly hashesBlocks: boolean
}

/** Worker threads that read and hash, and the memory that they share with this thread. */
export class ReaderPool {
  readonly hashesBlocks: boolean
  private readonly memory = new SharedArrayBuffer(SLOTS * SLOT_LENGTH)
  private readonly free = Array.from({ length: SLOTS }, (_, index) => index * SLOT_LENGTH)
  private readonly waitingForSlot: ((at: number) => void)[] = []
  /** Those whose workers live. */
  private readers: Reader[] = []
  private streams = 0

  constructor({ hashesBlocks }: ReaderPoolSettings) {
    this.hashesBlocks = hashesBlocks
  }

  /** Reads that follow each other and are hashed together, for sending: one worker is faster than any line. */
  openStream(): ReadPiece {
    return this.streamOf(this.readers[0] ?? this.addReader())
  }

  /** The same for hashing alone: as many workers as there are processors, up to 4. */
  openDigest(): ReadPiece {
    return this.streamOf(this.leastBusy())
  }

  /** The same for hashing that goes on while files are sent: never on the worker that reads for sending. */
  openLongDigest(): ReadPiece {
    const [sending = this.addReader()] = this.readers
    const others = this.readers.filter(reader => reader !== sending)
    const idle = others.find(reader => reader.inFlight === 0)
    const mayAdd = others.length === 0 || this.readers.length < mostReaders()
    return this.streamOf(idle ?? (mayAdd ? this.addReader() : leastOf(others)))
  }

  /** A slot of `SLOT_LENGTH` bytes, as its offset in the shared memory. */
  async takeSlot(): Promise<number> {
    return this.free.pop() ?? new Promise(resolve => this.waitingForSlot.push(resolve))
  }

  releaseSlot(at: number): void {
    const next = this.waitingForSlot.shift()
    if (next === undefined) this.free.push(at)
    else next(at)
  }

  bytes(at: number, length: number): Uint8Array {
    return Buffer.from(this.memory, at, length)
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.splice(0).map(reader => reader.close()))
  }

  private streamOf(reader: Reader): ReadPiece {
    const stream = this.streams++
    return read => reader.ask({ ...read, stream })
  }

  private addReader(): Reader {
    const reader = new Reader(this.memory, ended => {
      this.readers = this.readers.filter(other => other !== ended)
    })
    this.readers.push(reader)
    return reader
  }

  private leastBusy(): Reader {
    const idle = this.readers.find(reader => reader.inFlight === 0)
    if (idle !== undefined) return idle
    if (this.readers.length < mostReaders()) return this.addReader()
    return leastOf(this.readers)
  }
}

function mostReaders(): number {
  return Math.min(MOST_WORKERS, availableParallelism())
}

function leastOf(readers: readonly Reader[]): Reader {
  return readers.reduce((least, reader) => (reader.inFlight < least.inFlight ? reader : least))
}

/** One worker. What it has not answered when it ends, and what it is asked later, fails with the reason of its end. */
class Reader {
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private requests = 0
  private ended: Error | undefined

  constructor(
    memory: SharedArrayBuffer,
    private readonly onEnd: (reader: Reader) => void
  ) {
    this.worker = new Worker(new URL('./read-worker.mjs', import.meta.url), { workerData: memory })
    this.worker.unref()
    this.worker.on('message', (answer: ReadAnswer) => {
      this.settle(answer.id)?.resolve(answer)
    })
    this.worker.on('error', error => this.end(error))
    this.worker.on('exit', () => this.end(new Error('the thread that reads local files ended')))
  }

  get inFlight(): number {
    return this.waiting.size
  }

  ask(read: Omit<ReadRequest, 'id'>): Promise<ReadAnswer> {
    if (this.ended !== undefined) return Promise.reject(this.ended)
    return new Promise((resolve, reject) => {
      const id = this.requests++
      // Only a worker that owes an answer keeps the process alive.
      if (this.waiting.size === 0) this.worker.ref()
      this.waiting.set(id, { resolve, reject })
      this.worker.postMessage({ ...read, id })
    })
  }

  async close(): Promise<void> {
    await this.worker.terminate()
  }

  private end(reason: Error): void {
    if (this.ended !== undefined) return
    this.ended = reason
    this.onEnd(this)
    for (const id of this.waiting.keys()) this.settle(id)?.reject(reason)
  }

  private settle(id: number): Waiting | undefined {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (this.waiting.size === 0) this.worker.unref()
    return waiting
  }
}
