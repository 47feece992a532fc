import { describe, expect, test } from '@jest/globals'
import type { ByteRange } from '../../src/core/blocks.js'
import { Lane } from '../../src/engine/lane.js'
import { sendRange } from '../../src/engine/send-range.js'
import { bytesOf, digestOf, sameBytes } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type ServerTraits } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'

const KIB = 1024
const SIZE = 900 * KIB + 3
const range = { offset: 100 * KIB, length: 700 * KIB }

interface Given extends Partial<ServerTraits> {
  readonly bytes?: Buffer
  readonly sampled?: boolean
}

/** Slices of 300 KiB, and chunks of at most 256. */
async function open({ bytes = bytesOf(1, SIZE), sampled = false, ...traits }: Given = {}) {
  const clock = new MemoryClock()
  const disk = new MemoryDisk(clock)
  disk.sliceLength = 300 * KIB
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'a', size: SIZE })
  const server = new MemoryServer(clock, traits)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const handle = await clock.until(remote.create('a', undefined))
  const acknowledged: number[] = []
  const samples: ByteRange[] = []
  const task = {
    source,
    range,
    lane: new Lane(remote),
    handle,
    onAcknowledged: (count: number) => void acknowledged.push(count),
    onSample: sampled ? (sample: ByteRange) => void samples.push(sample) : undefined
  }
  const lengths = () => server.requests('write').map(request => request.bytes / KIB)
  return {
    clock,
    disk,
    server,
    bytes,
    acknowledged,
    samples,
    lengths,
    send: () => clock.until(sendRange(task))
  }
}

test('hands the range over in order, in pieces of at most a chunk, and gives its SHA-256', async () => {
  const { clock, server, bytes, acknowledged, lengths, send } = await open()
  const answers = await send()
  expect(await clock.until(answers())).toBe(digestOf(bytes.subarray(100 * KIB, 800 * KIB)))
  expect(lengths()).toEqual([150, 150, 150, 150, 100])
  expect(acknowledged.map(count => count / KIB)).toEqual([150, 150, 150, 150, 100])
  const there = server.bytesOf('a') ?? Buffer.alloc(0)
  expect(sameBytes(there.subarray(100 * KIB), bytes.subarray(100 * KIB, 800 * KIB))).toBe(true)
  expect(there.subarray(0, 100 * KIB).every(byte => byte === 0)).toBe(true)
})

test('resolves before the last answer, and a refusal is that of the answers', async () => {
  const { clock, server, acknowledged, send } = await open({ latencyMs: 1_000 })
  server.faults.push({ on: 'write', after: 1, then: 'permission' })
  const answers = await send()
  expect(acknowledged).toEqual([])
  await expect(clock.until(answers())).rejects.toMatchObject({ code: 'permission' })
  // All have settled.
  expect(acknowledged).toHaveLength(4)
})

test('has nothing in flight when the local file cannot be read any more', async () => {
  const { disk, server, acknowledged, send } = await open({ latencyMs: 1_000 })
  disk.onSlice = (_local, offset) => {
    if (offset >= 400 * KIB) disk.isUnreadable = () => true
  }
  await expect(send()).rejects.toMatchObject({ code: 'source-unreadable' })
  expect(server.requests('write')).toHaveLength(2)
  expect(acknowledged).toHaveLength(2)
})

/** The range begins with that many zeros. */
function withZeros(length: number): Buffer {
  return Buffer.from(bytesOf(1, SIZE)).fill(0, range.offset, range.offset + length)
}

describe('a sample', () => {
  test('is a first piece of 8 KiB, told when it is acknowledged', async () => {
    const { clock, samples, acknowledged, lengths, send } = await open({ sampled: true, latencyMs: 1_000 })
    const answers = await send()
    expect(samples).toEqual([])
    await clock.until(answers())
    expect(samples).toEqual([{ offset: 100 * KIB, length: 8 * KIB }])
    expect(lengths()).toEqual([8, 146, 146, 150, 150, 100])
    expect(acknowledged.reduce((sum, count) => sum + count)).toBe(700 * KIB)
  })

  test('is as long as the first slice, or chunk, where that is shorter', async () => {
    const short = await open({ sampled: true })
    short.disk.sliceLength = 5 * KIB
    await short.clock.until((await short.send())())
    expect(short.samples).toEqual([{ offset: 100 * KIB, length: 5 * KIB }])

    const narrow = await open({ sampled: true, chunkSize: 4 * KIB })
    await narrow.clock.until((await narrow.send())())
    expect(narrow.samples).toEqual([{ offset: 100 * KIB, length: 4 * KIB }])
  })

  test('of zeros is none: a file that was emptied would show them, too', async () => {
    const zeros = withZeros(700 * KIB)
    const { clock, samples, send } = await open({ sampled: true, bytes: zeros })
    await clock.until((await send())())
    expect(samples).toEqual([])
    zeros[range.offset + 5] = 1
    const other = await open({ sampled: true, bytes: zeros })
    await other.clock.until((await other.send())())
    expect(other.samples).toEqual([{ offset: 100 * KIB, length: 8 * KIB }])
  })

  test.each([
    [8, { offset: 108 * KIB, length: 146 * KIB }],
    [153, { offset: 108 * KIB, length: 146 * KIB }],
    [154, { offset: 254 * KIB, length: 146 * KIB }],
    [699, { offset: 700 * KIB, length: 100 * KIB }]
  ])('is the first chunk that is not zeros, where %i KiB are', async (zeros, sample) => {
    const { clock, samples, send } = await open({ sampled: true, bytes: withZeros(zeros * KIB) })
    await clock.until((await send())())
    expect(samples).toEqual([sample])
  })

  test('that is refused is not told', async () => {
    const { clock, server, samples, send } = await open({ sampled: true })
    server.faults.push({ on: 'write', then: 'permission' })
    const answers = await send()
    await expect(clock.until(answers())).rejects.toMatchObject({ code: 'permission' })
    expect(samples).toEqual([])
  })
})
