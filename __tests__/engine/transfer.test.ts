import { describe, expect, jest, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { Ledger } from '../../src/core/ledger.js'
import { BlockQueue } from '../../src/engine/block-queue.js'
import { JoinSpoiledPart } from '../../src/engine/join-part.js'
import { Lane } from '../../src/engine/lane.js'
import { PartFile } from '../../src/engine/part-file.js'
import { transfer } from '../../src/engine/transfer.js'
import { bytesOf, digestOf, sameBytes } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type ServerTraits } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'

const MIB = 1024 * 1024
const PATH = 'a.part'

interface Given extends Partial<ServerTraits> {
  readonly size?: number
  /** As many bytes at the beginning of each block are zeros. */
  readonly zeros?: number
  readonly lanes?: number
  readonly oneLane?: boolean
  readonly canBeRead?: boolean
}

async function open({
  size = 6 * MIB + 7,
  zeros = 0,
  lanes = 1,
  oneLane = false,
  canBeRead = true,
  ...traits
}: Given = {}) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock, traits)
  const disk = new MemoryDisk(clock)
  const bytes = Buffer.from(bytesOf(size, size))
  for (let at = 0; at < size; at += MIB) bytes.subarray(at, at + zeros).fill(0)
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'a', size })
  const sessions = await clock.until(
    Promise.all(Array.from({ length: lanes }, () => server.connect(new AbortController().signal)))
  )
  const [home] = sessions
  if (home === undefined) throw new Error('no lane')
  const homeLane = new Lane(home)
  const handle = await clock.until(home.create(PATH, undefined))
  const part = new PartFile(PATH, homeLane, handle, Promise.resolve(canBeRead))
  const queue = new BlockQueue()
  const ledger = new Ledger(size)
  for (const session of sessions) void queue.serve(session === home ? homeLane : new Lane(session))
  let acknowledged = 0
  const task = {
    source,
    ledger,
    part,
    oneLane,
    onAcknowledged: (count: number) => void (acknowledged += count)
  }
  const run = () => clock.until(transfer(task, queue))
  const sentBytes = () => acknowledged
  const writers = () => new Set(server.requests('write').map(({ session }) => session))
  return { clock, server, disk, source, bytes, ledger, part, queue, home, run, sentBytes, writers }
}

describe.each([1, 3])('over %i lanes', lanes => {
  test.each([0, 1, MIB - 1, MIB, MIB + 1, 6 * MIB + 7])('sends a file of %i bytes', async size => {
    const { server, bytes, ledger, run, sentBytes } = await open({ size, lanes })
    await run()
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
    expect(ledger.complete()).toBe(true)
    expect(sentBytes()).toBe(size)
  })

  test('sends it right where writes and answers come in any order', async () => {
    const { server, bytes, run } = await open({
      lanes,
      jitterMs: 500,
      overtaking: ['write'],
      shufflesAnswers: true
    })
    await run()
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('sends only the missing blocks', async () => {
    const { server, bytes, ledger, run, sentBytes } = await open({ lanes })
    for (const index of [0, 2, 5]) ledger.acknowledge(index, 'of an earlier attempt')
    server.open(PATH).write(bytes, 0)
    await run()
    expect(sentBytes()).toBe(3 * MIB + 7)
    expect(ledger.digestOf(1)).toBe(digestOf(bytes.subarray(MIB, 2 * MIB)))
    expect(ledger.digestOf(2)).toBe('of an earlier attempt')
  })

  test('has nothing in flight when it throws, and keeps what was acknowledged', async () => {
    const { clock, server, bytes, ledger, home, run } = await open({ lanes, jitterMs: 100 })
    server.faults.push({ on: 'write', session: home.number, afterBytes: 1.5 * MIB, then: 'permission' })
    await expect(run()).rejects.toMatchObject({ code: 'permission' })
    const asked = server.requests('write').length
    const known = ledger.acknowledged()
    await clock.untilQuiet()
    expect(server.requests('write')).toHaveLength(asked)
    expect(ledger.acknowledged()).toEqual(known)
    expect(known.length).toBeGreaterThan(0)
    for (const index of known) {
      const block = server.bytesOf(PATH)?.subarray(index * MIB, (index + 1) * MIB)
      expect(sameBytes(block, bytes.subarray(index * MIB, (index + 1) * MIB))).toBe(true)
    }
  })

  test('says why the last lane ended when none is left', async () => {
    const { server, ledger, run } = await open({ lanes })
    server.faults.push({ on: 'write', afterBytes: 4 * MIB, then: 'cut-all' })
    await expect(run()).rejects.toMatchObject({ code: 'connection-lost' })
    expect(ledger.acknowledged().length).toBeGreaterThan(0)
    expect(ledger.complete()).toBe(false)
  })

  test('fails when the local file shrinks', async () => {
    const { disk, run } = await open({ lanes })
    disk.onSlice = (local, offset) => {
      if (offset >= 3 * MIB) disk.write(local, bytesOf(1, MIB))
    }
    await expect(run()).rejects.toMatchObject({ code: 'source-changed' })
  })

  test('begins no block after a failure, and leaves the sessions alone', async () => {
    const { clock, server, home, run } = await open({ lanes, size: 24 * MIB })
    server.faults.push({ on: 'write', session: home.number, afterBytes: 1.5 * MIB, then: 'permission' })
    await expect(run()).rejects.toMatchObject({ code: 'permission' })
    await clock.untilQuiet()
    expect(server.writtenBytes()).toBeLessThan(12 * MIB)
    expect(server.living).toHaveLength(lanes)
  })

  test('tells what nobody has thrown on purpose with the part file', async () => {
    const { disk, run } = await open({ lanes })
    disk.onSlice = () => {
      throw new TypeError('no such thing')
    }
    await expect(run()).rejects.toMatchObject({
      code: 'server-failure',
      message: 'write a.part: no such thing'
    })
  })

  test('fails when the local file cannot be read', async () => {
    const { server, disk, run } = await open({ lanes })
    disk.isUnreadable = () => server.writtenBytes() > 2 * MIB
    await expect(run()).rejects.toMatchObject({ code: 'source-unreadable' })
  })

  test('ends when the queue is closed and the lanes then end', async () => {
    const { clock, server, ledger, queue, run } = await open({ lanes, size: 12 * MIB })
    clock.after(25, () => queue.close())
    clock.after(1_000, () => server.cutAll())
    await expect(run()).rejects.toMatchObject({ code: 'connection-lost' })
    const whole = Math.floor((server.bytesOf(PATH)?.length ?? 0) / MIB)
    expect(ledger.acknowledged().length).toBeGreaterThanOrEqual(whole)
  })
})

describe('another lane', () => {
  test('takes blocks as soon as it can read one back', async () => {
    const { server, run, writers } = await open({ lanes: 3 })
    await run()
    expect([...writers()].sort()).toEqual([1, 2, 3])
    const joined = server.log.findIndex(({ operation }) => operation === 'reopen')
    expect(
      server.log.slice(0, joined).filter(({ operation }) => operation === 'write').length
    ).toBeGreaterThanOrEqual(4)
  })

  test('joins before the first block is whole, by a short first piece of it', async () => {
    const { server, run, writers } = await open({ lanes: 2, window: 128 * 1024, chunkSize: 32 * 1024 })
    let writtenBytes = 0
    server.onRequest = ({ operation }) => {
      if (operation === 'reopen') writtenBytes = server.writtenBytes()
    }
    await run()
    expect(writers().size).toBe(2)
    expect(writtenBytes).toBeGreaterThan(0)
    expect(writtenBytes).toBeLessThan(MIB / 2)
    expect(server.requests('write').filter(({ bytes }) => bytes === 8 * 1024)).toHaveLength(1)
  })

  test('joins at once where blocks are kept, and nothing is sent for its sake', async () => {
    const { clock, server, bytes, ledger, run, writers } = await open({ lanes: 2, latencyMs: 100 })
    ledger.acknowledge(0, 'of an earlier attempt')
    server.open(PATH).write(bytes.subarray(0, MIB), 0)
    const at: Partial<Record<string, number>> = {}
    server.onRequest = ({ operation }) => void (at[operation] ??= clock.now())
    await run()
    expect(writers().size).toBe(2)
    expect(at.reopen).toBe(at.write)
    expect(server.requests('write').some(({ bytes }) => bytes === 8 * 1024)).toBe(false)
  })

  test('joins by the first chunk that is not zeros where all blocks begin with them', async () => {
    const { server, bytes, run, writers } = await open({ lanes: 2, zeros: 600 * 1024 })
    let writtenBytes = 0
    server.onRequest = ({ operation }) => {
      if (operation === 'reopen') writtenBytes = server.writtenBytes()
    }
    await run()
    expect(writers().size).toBe(2)
    expect(writtenBytes).toBeGreaterThan(600 * 1024)
    expect(writtenBytes).toBeLessThan(3 * MIB)
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('stays away from a file of nothing but zeros', async () => {
    const { server, bytes, run, writers } = await open({ lanes: 3, zeros: MIB })
    await run()
    expect([...writers()]).toEqual([1])
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('joins by a kept block that does not begin with zeros, else by what is sent', async () => {
    for (const zeros of [0, 64 * 1024]) {
      const { clock, server, bytes, ledger, run, writers } = await open({ lanes: 2, zeros })
      bytes.fill(0, 0, MIB)
      for (const index of [0, 1]) ledger.acknowledge(index, 'of an earlier attempt')
      server.open(PATH).write(bytes.subarray(0, 2 * MIB), 0)
      const at: Partial<Record<string, number>> = {}
      server.onRequest = ({ operation }) => void (at[operation] ??= clock.now())
      await run()
      expect(writers().size).toBe(2)
      expect(at.reopen === at.write).toBe(zeros === 0)
      expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
    }
  })

  test('joins by what is sent where a look into what is kept fails', async () => {
    const { server, source, bytes, ledger, run, writers } = await open({ lanes: 2 })
    ledger.acknowledge(0, 'of an earlier attempt')
    server.open(PATH).write(bytes.subarray(0, MIB), 0)
    jest.spyOn(source, 'read').mockRejectedValueOnce(new UploadError('source-unreadable', 'EIO'))
    await run()
    expect(writers().size).toBe(2)
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('does not join by what a lost one had sent, before it is sent once more', async () => {
    const { clock, server, bytes, home, queue, run } = await open({
      lanes: 2,
      window: 64 * 1024,
      chunkSize: 32 * 1024
    })
    const third = await clock.until(server.connect(new AbortController().signal))
    void home.ended.then(() => clock.after(1, () => void queue.serve(new Lane(third))))
    // The second has joined then, and the first block is not whole.
    server.faults.push({ on: 'write', session: home.number, afterBytes: MIB / 2, then: 'cut' })
    await run()
    const joined = server.log.findIndex(
      ({ operation, session }) => operation === 'reopen' && session === third.number
    )
    const samples = server.log.slice(0, joined).filter(({ bytes }) => bytes === 8 * 1024)
    expect(samples.map(({ session }) => session)).toEqual([1, 2])
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('that spoils kept blocks is found out before its first block is in the ledger', async () => {
    const { server, bytes, ledger, run } = await open({ lanes: 2, reopen: 'zeroes' })
    ledger.acknowledge(0, 'of an earlier attempt')
    server.open(PATH).write(bytes.subarray(0, MIB), 0)
    await expect(run()).rejects.toBeInstanceOf(JoinSpoiledPart)
    // The first lane takes block 1, and this one the next.
    expect(ledger.digestOf(1)).toBe(digestOf(bytes.subarray(MIB, 2 * MIB)))
    expect(ledger.digestOf(2)).toBeUndefined()
  })

  test('stays away where a file takes one writer', async () => {
    const { run, writers } = await open({ lanes: 3, oneLane: true })
    await run()
    expect([...writers()]).toEqual([1])
  })

  test('stays away where nobody can read, and leaves the order alone, which some such servers need', async () => {
    const { server, bytes, part, run, writers } = await open({ lanes: 3, canBeRead: false })
    const handle = part.handleOf(part.home)
    if (handle === undefined) throw new Error('no handle')
    const write = jest.spyOn(handle, 'write')
    await run()
    expect([...writers()]).toEqual([1])
    expect(server.requests('reopen')).toEqual([])
    const offsets = write.mock.calls.map(([, offset]) => offset)
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('stays away where a second writer is refused', async () => {
    const { server, bytes, run, writers } = await open({ lanes: 3 })
    server.faults.push({ on: 'reopen', times: Infinity, then: 'permission' })
    await run()
    expect([...writers()]).toEqual([1])
    expect(server.requests('reopen')).toHaveLength(2)
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test.each(['empties', 'zeroes'] as const)(
    'that spoils the file makes it fail at once (%s)',
    async reopen => {
      const { run } = await open({ lanes: 2, reopen })
      await expect(run()).rejects.toBeInstanceOf(JoinSpoiledPart)
    }
  )

  /** Much of the file is on its way when the others join. */
  const crowded = (seed: number) => ({
    lanes: 3,
    seed,
    jitterMs: 60 * seed,
    size: 8 * MIB,
    window: 4 * MIB
  })

  test.each(['empties', 'zeroes'] as const)('never spoils the file unnoticed (%s)', async reopen => {
    for (let seed = 1; seed <= 12; seed++) {
      const { run } = await open({ ...crowded(seed), reopen })
      await expect(run()).rejects.toBeInstanceOf(JoinSpoiledPart)
    }
  })

  test.each([64 * 1024, 900 * 1024])(
    'never spoils unnoticed what is zeros where a sample could look, blocks that begin with %i of them',
    async zeros => {
      for (const reopen of ['empties', 'zeroes'] as const) {
        for (let seed = 1; seed <= 6; seed++) {
          const { run } = await open({ ...crowded(seed), reopen, zeros })
          await expect(run()).rejects.toBeInstanceOf(JoinSpoiledPart)
        }
      }
    }
  )

  test('takes over what a lost one had in flight', async () => {
    const { server, bytes, run, writers } = await open({ lanes: 2 })
    server.faults.push({ on: 'write', session: 2, after: 3, then: 'cut' })
    await run()
    expect(writers().has(2)).toBe(true)
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('goes on when the one that opened the file is lost', async () => {
    const { server, bytes, run, writers } = await open({ lanes: 2, size: 12 * MIB })
    server.faults.push({ on: 'write', session: 1, afterBytes: 4.5 * MIB, then: 'cut' })
    await run()
    expect(writers().has(2)).toBe(true)
    expect(sameBytes(server.bytesOf(PATH), bytes)).toBe(true)
  })

  test('whose writes are refused does not keep the file waiting when the one that opened it is lost', async () => {
    const { server, run } = await open({ lanes: 2, size: 16 * MIB })
    server.faults.push(
      { on: 'write', session: 2, times: Infinity, then: 'server-failure' },
      { on: 'write', session: 1, afterBytes: 8.5 * MIB, then: 'cut' }
    )
    await expect(run()).rejects.toMatchObject({ code: 'connection-lost' })
  })

  test('is not waited for when the only one gets a lost connection for an answer', async () => {
    const { server, run } = await open({ size: 4 * MIB })
    server.faults.push({ on: 'write', after: 5, then: 'connection-lost' })
    await expect(run()).rejects.toMatchObject({ code: 'connection-lost' })
  })
})
