import { describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { joinPart, JoinSpoiledPart } from '../../src/engine/join-part.js'
import { Lane } from '../../src/engine/lane.js'
import { TooManyOpen } from '../../src/engine/open-handles.js'
import { PartFile } from '../../src/engine/part-file.js'
import { bytesOf, sameBytes } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type ServerTraits } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'

const MIB = 1024 * 1024
const PATH = 'site/a.part'
const bytes = bytesOf(1, 5 * MIB)

const sample = { offset: 2 * MIB, length: 64 * 1024 }

/** The first three of five blocks are there, from the lane that opened the file. */
async function open(reopen: ServerTraits['reopen'] = 'keeps') {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const disk = new MemoryDisk(clock)
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'site/a', size: bytes.length })
  const part = server.put(PATH, bytes.subarray(0, 3 * MIB))
  const home = await clock.until(server.connect(new AbortController().signal))
  const handle = await clock.until(home.reopen(PATH))
  server.traits.reopen = reopen
  const partFile = new PartFile(PATH, new Lane(home), handle, Promise.resolve(true))
  const remote = await clock.until(server.connect(new AbortController().signal))
  const join = async () => {
    const { handle, proven } = await clock.until(joinPart(remote, partFile, sample, source))
    await clock.until(proven)
    return handle
  }
  return { clock, server, part, partFile, remote, join }
}

test('opens another writer that changes nothing', async () => {
  const { clock, part, remote, join } = await open()
  const handle = await join()
  expect(sameBytes(part.bytes, bytes.subarray(0, 3 * MIB))).toBe(true)
  await clock.until(handle.write(bytes.subarray(3 * MIB, 3 * MIB + 10), 3 * MIB))
  expect(part.size).toBe(3 * MIB + 10)
  await clock.untilQuiet()
  expect([...remote.openFiles].map(({ writable }) => writable)).toEqual([true])
})

test.each(['empties', 'zeroes'] as const)(
  'finds out that a server %s the file, and leaves no reader open',
  async reopen => {
    const { clock, remote, join } = await open(reopen)
    await expect(join()).rejects.toBeInstanceOf(JoinSpoiledPart)
    await clock.untilQuiet()
    expect([...remote.openFiles].filter(({ writable }) => !writable)).toEqual([])
  }
)

test.each(['empties', 'zeroes'] as const)(
  'finds that out when another lane goes on writing meanwhile (%s)',
  async reopen => {
    const { clock, server, part, join } = await open(reopen)
    // Written by the other lane between the opening and its answer.
    server.onRequest = ({ operation }) => {
      if (operation === 'reopen') clock.after(2, () => part.write(bytes.subarray(3 * MIB, 4 * MIB), 3 * MIB))
    }
    await expect(join()).rejects.toBeInstanceOf(JoinSpoiledPart)
  }
)

describe('a refusal', () => {
  test('to open a reader: the file may be spoiled', async () => {
    const { clock, server, remote, join } = await open()
    server.faults.push({ on: 'openForReading', then: 'permission' })
    await expect(join()).rejects.toBeInstanceOf(JoinSpoiledPart)
    await clock.untilQuiet()
    expect([...remote.openFiles].filter(({ writable }) => !writable)).toEqual([])
  })

  test('to open a reader beside so many handles: it may be spoiled, which nobody knows', async () => {
    const { partFile, remote, join } = await open()
    const tooMany = new TooManyOpen(new UploadError('server-failure', 'refused'), 2)
    remote.openForReading = () => Promise.reject(tooMany)
    await expect(join()).rejects.toBe(tooMany)
    expect(partFile.doubtful).toEqual([sample])
  })

  test('of a second writer: the file is as it was', async () => {
    const { clock, server, part, partFile, remote, join } = await open()
    server.faults.push({ on: 'reopen', then: 'server-failure' })
    await expect(join()).rejects.toMatchObject({ code: 'server-failure' })
    expect(partFile.doubtful).toEqual([])
    expect(sameBytes(part.bytes, bytes.subarray(0, 3 * MIB))).toBe(true)
    await clock.untilQuiet()
    expect(remote.openFiles.size).toBe(0)
  })

  test('of the whole session at the opening: it may be spoiled, which nobody knows', async () => {
    const { server, join, partFile } = await open()
    server.faults.push({ on: 'reopen', then: 'cut' })
    await expect(join()).rejects.toMatchObject({ code: 'connection-lost' })
    expect(partFile.doubtful).toEqual([sample])
  })

  test('of the whole session while it reads: it may be spoiled, which nobody knows', async () => {
    const { server, join, partFile } = await open()
    server.faults.push({ on: 'read', then: 'cut' })
    await expect(join()).rejects.toMatchObject({ code: 'connection-lost' })
    expect(partFile.doubtful).toEqual([sample])
  })

  test('to read what was opened: it may be spoiled', async () => {
    const { server, join } = await open()
    server.faults.push({ on: 'read', then: 'permission' })
    const spoiled = await join().catch((error: unknown) => error)
    expect(spoiled).toBeInstanceOf(JoinSpoiledPart)
    expect(spoiled).toMatchObject({ message: 'site/a.part', cause: { code: 'permission' } })
  })
})
