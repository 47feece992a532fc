import { describe, expect, test } from '@jest/globals'
import { blockCount, blockRange } from '../../src/core/blocks.js'
import { Ledger, NOT_HASHED } from '../../src/core/ledger.js'
import { holdsKeptBlocks, keepMatchingBlocks, seamRanges } from '../../src/engine/prove.js'
import { bytesOf, changed, digestOf, randomOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'
import { cancelled } from '../support/memory-world.js'

const MIB = 1024 * 1024
const KIB = 1024
const { signal } = new AbortController()

async function open(size = 12 * MIB + 9) {
  const clock = new MemoryClock()
  const disk = new MemoryDisk(clock)
  const bytes = bytesOf(3, size)
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'a', size })
  const server = new MemoryServer(clock)
  const part = server.put('a.part', bytes)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const reader = await clock.until(remote.openForReading('a.part'))
  const ledger = new Ledger(size)
  const acknowledge = (...indexes: number[]) => {
    for (const index of indexes) {
      const { offset, length } = blockRange(size, index)
      ledger.acknowledge(index, digestOf(bytes.subarray(offset, offset + length)))
    }
  }
  const spoil = (offset: number) => part.write(Buffer.from([(bytes[offset] ?? 0) ^ 1]), offset)
  const holds = (random = () => 0) => clock.until(holdsKeptBlocks(reader, source, ledger, random))
  return { clock, disk, bytes, source, server, ledger, acknowledge, spoil, holds }
}

describe('keepMatchingBlocks', () => {
  test('forgets the blocks whose bytes are others now, and only these', async () => {
    const { disk, bytes, source, ledger, acknowledge } = await open()
    acknowledge(0, 2, 3, 7, 12)
    const rebuilt = changed(
      changed(bytes, { offset: 2 * MIB, length: 1 }, 1),
      { offset: 12 * MIB + 8, length: 1 },
      2
    )
    disk.write('a', rebuilt)
    expect(await keepMatchingBlocks(ledger, source, signal)).toBe(true)
    expect(ledger.acknowledged()).toEqual([0, 3, 7])
  })

  test('forgets the blocks that nobody hashed', async () => {
    const { source, ledger, acknowledge } = await open()
    acknowledge(0, 2)
    ledger.acknowledge(1, NOT_HASHED)
    expect(await keepMatchingBlocks(ledger, source, signal)).toBe(true)
    expect(ledger.acknowledged()).toEqual([0, 2])
  })

  test('tells when every block is still there', async () => {
    const { source, ledger, acknowledge } = await open()
    acknowledge(0, 2, 12)
    expect(await keepMatchingBlocks(ledger, source, signal)).toBe(false)
    expect(ledger.acknowledged()).toEqual([0, 2, 12])
  })

  test('says when the local file is too short or cannot be read', async () => {
    const { disk, source, ledger, acknowledge } = await open()
    acknowledge(0, 7)
    disk.isUnreadable = () => true
    await expect(keepMatchingBlocks(ledger, source, signal)).rejects.toMatchObject({
      code: 'source-unreadable'
    })
    disk.isUnreadable = () => false
    disk.write('a', bytesOf(1, MIB))
    await expect(keepMatchingBlocks(ledger, source, signal)).rejects.toMatchObject({ code: 'source-changed' })
  })

  test('reads no further block when it is told to stop', async () => {
    const { clock, disk, source, ledger, acknowledge } = await open()
    acknowledge(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    disk.digestMs = 1_000
    const stop = new AbortController()
    clock.after(1_500, () => stop.abort(cancelled()))
    const startedMs = clock.now()
    const kept = clock.until(keepMatchingBlocks(ledger, source, stop.signal))
    await expect(kept).rejects.toMatchObject({ code: 'cancelled' })
    expect(clock.now() - startedMs).toBe(2_000)
  })
})

describe('holdsKeptBlocks', () => {
  test('is content with the right bytes', async () => {
    const { acknowledge, holds } = await open()
    acknowledge(0, 1, 5, 12)
    expect(await holds(randomOf(1))).toBe(true)
  })

  test('looks at the whole first block, wherever it is', async () => {
    for (const offset of [3 * MIB, 3.5 * MIB, 4 * MIB - 1]) {
      const { acknowledge, spoil, holds } = await open()
      acknowledge(3, 4, 5, 6, 7, 8, 9)
      spoil(offset)
      expect(await holds(() => 0.99)).toBe(false)
    }
  })

  test('looks at the latest 4 MiB in the order of their acknowledgement', async () => {
    for (const index of [6, 1, 9, 4]) {
      const { acknowledge, spoil, holds } = await open()
      acknowledge(0, 12, 11, 10, 6, 1, 9, 4)
      spoil(index * MIB + MIB - 1)
      expect(await holds()).toBe(false)
    }
  })

  test('looks at the first that is not zeros, which an emptied file would show, too', async () => {
    const { disk, bytes, server, acknowledge, holds } = await open()
    const zeros = Buffer.from(bytes).fill(0)
    for (const index of [1, 2]) zeros.set(bytes.subarray(index * MIB, (index + 1) * MIB), index * MIB)
    disk.write('a', zeros)
    server.open('a.part').write(zeros, 0)
    // In the order of their acknowledgement.
    acknowledge(0, 1, 2, 3, 4, 5, 6, 7, 8)
    expect(await holds()).toBe(true)
    server.open('a.part').bytes.fill(0)
    expect(await holds()).toBe(false)
  })

  test('looks at others at random', async () => {
    const { acknowledge, spoil, holds } = await open()
    acknowledge(0, 3, 6, 7, 8, 9)
    spoil(3 * MIB + 100)
    expect(await holds(() => 0)).toBe(true)
    expect(await holds(() => 0.2)).toBe(false)
  })

  test('looks at nothing before a short last block', async () => {
    const { acknowledge, spoil, holds } = await open()
    acknowledge(12)
    spoil(12 * MIB - 1)
    expect(await holds()).toBe(true)
  })

  test('draws four at random', async () => {
    const { acknowledge, holds } = await open()
    acknowledge(0, 1, 2, 3, 4, 5)
    const drawn: number[] = []
    await holds(() => drawn.push(0) / 10)
    expect(drawn).toHaveLength(4)
  })

  test('reads nothing where nothing is kept', async () => {
    const { server, holds } = await open()
    expect(await holds()).toBe(true)
    expect(server.requests('read')).toEqual([])
  })

  test('takes too few bytes for wrong ones', async () => {
    const { server, acknowledge, holds } = await open()
    acknowledge(0, 12)
    server.open('a.part').truncate(12 * MIB + 8)
    expect(await holds()).toBe(false)
  })

  test('says when the server refuses to read', async () => {
    const { server, acknowledge, holds } = await open()
    acknowledge(0)
    server.faults.push({ on: 'read', then: 'permission' })
    await expect(holds()).rejects.toMatchObject({ code: 'permission' })
  })
})

describe('seamRanges', () => {
  test.each([0, 1, 64 * KIB, 100 * KIB, 128 * KIB, 5 * MIB])('stay within a file of %i bytes', size => {
    for (const { offset, length } of seamRanges(size, [0, 2].slice(0, blockCount(size)), () => 0)) {
      expect(offset).toBeGreaterThanOrEqual(0)
      expect(length).toBeGreaterThanOrEqual(0)
      expect(offset + length).toBeLessThanOrEqual(size)
    }
  })

  test('are where kept and sent blocks meet, with head and tail', () => {
    expect(seamRanges(6 * MIB, [1, 2, 4], () => 0)).toEqual([
      { offset: 0, length: 64 * KIB },
      { offset: MIB - 64 * KIB, length: 128 * KIB },
      { offset: 3 * MIB - 64 * KIB, length: 128 * KIB },
      { offset: 4 * MIB - 64 * KIB, length: 128 * KIB },
      { offset: 5 * MIB - 64 * KIB, length: 128 * KIB },
      { offset: 6 * MIB - 64 * KIB, length: 64 * KIB }
    ])
  })

  test.each([
    { kept: [0], seam: MIB },
    { kept: [5], seam: 5 * MIB }
  ])('are not where the file begins and ends, with block $kept of six', ({ kept, seam }) => {
    expect(seamRanges(6 * MIB, kept, () => 0)).toEqual([
      { offset: 0, length: 64 * KIB },
      { offset: seam - 64 * KIB, length: 128 * KIB },
      { offset: 6 * MIB - 64 * KIB, length: 64 * KIB }
    ])
  })

  test.each([
    { random: 0, from: 4 },
    { random: 0.999_999, from: 1 }
  ])('are at most 16, chosen at random, with head and tail ($random)', ({ random, from }) => {
    const kept = Array.from({ length: 10 }, (_, index) => 2 * index)
    const seams = Array.from({ length: 16 }, (_, index) => ({
      offset: (from + index) * MIB - 64 * KIB,
      length: 128 * KIB
    }))
    expect(seamRanges(20 * MIB, kept, () => random).slice(1, -1)).toEqual(seams)
  })
})
