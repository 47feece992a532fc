import { expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { BlockQueue, type BlockSupply } from '../../src/engine/block-queue.js'
import { Lane } from '../../src/engine/lane.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'

const clock = new MemoryClock()

async function openLane() {
  const session = await clock.until(new MemoryServer(clock).connect(new AbortController().signal))
  return { session, lane: new Lane(session) }
}

class Blocks implements BlockSupply {
  constructor(
    private readonly name: string,
    readonly blocks: number[],
    private readonly log: string[],
    private readonly allowed: (lane: Lane) => boolean = () => true
  ) {}

  take(lane: Lane): number | undefined {
    return this.allowed(lane) ? this.blocks.shift() : undefined
  }

  async send(_lane: Lane, block: number): Promise<void> {
    await new Promise<void>(resolve => clock.after(10, resolve))
    this.log.push(`${this.name}${block}`)
  }
}

/** Whether the promise has settled when nothing more can happen. */
async function hasEnded(serving: Promise<void>): Promise<boolean> {
  let ended = false
  void serving.then(() => (ended = true))
  await clock.untilQuiet()
  return ended
}

test('sends the blocks of the file that came first before those of the next', async () => {
  const { lane } = await openLane()
  const queue = new BlockQueue()
  const log: string[] = []
  queue.add(new Blocks('a', [0, 1, 2], log))
  queue.add(new Blocks('b', [0, 1], log))
  void queue.serve(lane)
  await clock.untilQuiet()
  expect(log).toEqual(['a0', 'a1', 'a2', 'b0', 'b1'])
})

test('gives a lane that may not write the first file blocks of the next', async () => {
  const [first, second] = [await openLane(), await openLane()]
  const queue = new BlockQueue()
  const log: string[] = []
  queue.add(new Blocks('a', [0, 1, 2, 3], log, lane => lane === first.lane))
  queue.add(new Blocks('b', [0], log))
  void queue.serve(second.lane)
  await clock.untilQuiet()
  expect(log).toEqual(['b0'])
  void queue.serve(first.lane)
  await clock.untilQuiet()
  expect(log).toEqual(['b0', 'a0', 'a1', 'a2', 'a3'])
})

test('wakes an idle lane for blocks that come later, and only for what is still there', async () => {
  const { lane } = await openLane()
  const queue = new BlockQueue()
  const log: string[] = []
  const removed = new Blocks('a', [], log)
  queue.add(removed)
  void queue.serve(lane)
  await clock.untilQuiet()
  queue.remove(removed)
  removed.blocks.push(7)
  queue.changed()
  queue.add(new Blocks('b', [3], log))
  await clock.untilQuiet()
  expect(log).toEqual(['b3'])
})

test('serves a lane until the queue is closed; the block that it has is sent', async () => {
  const { lane } = await openLane()
  const queue = new BlockQueue()
  const log: string[] = []
  queue.add(new Blocks('a', [0, 1, 2], log))
  const serving = queue.serve(lane)
  clock.after(15, () => queue.close())
  expect(await hasEnded(serving)).toBe(true)
  expect(log).toEqual(['a0', 'a1'])
})

test('ends an idle lane when the queue is closed, or its session has ended', async () => {
  const [first, second] = [await openLane(), await openLane()]
  const queue = new BlockQueue()
  const [servingFirst, servingSecond] = [queue.serve(first.lane), queue.serve(second.lane)]
  first.session.end(new UploadError('connection-lost', 'cut'))
  expect(await hasEnded(servingFirst)).toBe(true)
  expect(await hasEnded(servingSecond)).toBe(false)
  queue.close()
  expect(await hasEnded(servingSecond)).toBe(true)
})
