import { describe, expect, test } from '@jest/globals'
import type { ByteRange } from '../../src/core/blocks.js'
import { VERIFY_MODES, type VerifyMode } from '../../src/core/identity.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { tailOf, verify } from '../../src/engine/verify.js'
import { bytesOf, changed } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type ServerTraits } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'
import { cancelled } from '../support/memory-world.js'

const MIB = 1024 * 1024
const PATH = 'a.part'

interface Given extends Partial<ServerTraits> {
  readonly size?: number
  readonly kept?: readonly number[]
  readonly doubtful?: readonly ByteRange[]
  /** What the server says at the close is known. */
  readonly isClosed?: boolean
  readonly signal?: AbortSignal
}

async function open({
  size = 4 * MIB + 3,
  kept = [],
  doubtful = [],
  isClosed = false,
  signal = new AbortController().signal,
  ...traits
}: Given = {}) {
  const clock = new MemoryClock()
  const disk = new MemoryDisk(clock)
  const bytes = bytesOf(size, size)
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'a', size })
  const server = new MemoryServer(clock, traits)
  server.put(PATH, bytes)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const events: UploadEvent[] = []
  const emit = (event: UploadEvent) => void events.push(event)
  const run = (mode: VerifyMode) =>
    clock.until(
      verify({
        remote,
        path: PATH,
        source,
        closed: isClosed ? { size, mtime: 1, mode: 0o100644, isDirectory: false } : undefined,
        mode,
        kept,
        doubtful,
        random: () => 0,
        emit,
        signal
      })
    )
  const reads = () => server.requests('read').length
  return { clock, server, remote, disk, bytes, run, events, reads }
}

const notVerified = { code: 'not-verified' }

describe.each(VERIFY_MODES)('%s', mode => {
  test.each([0, 1, MIB, MIB + 1, 4 * MIB + 3])('is content with the right file of %i bytes', async size => {
    const { run } = await open({ size })
    expect(await run(mode)).toMatchObject({ size })
  })

  test.each([-1, 1])('refuses a size that is off by %i', async by => {
    const { server, bytes, run } = await open()
    server.put(PATH, bytesOf(1, bytes.length + by))
    await expect(run(mode)).rejects.toMatchObject({
      ...notVerified,
      message: `check a.part: the server must hold 4,194,307 bytes and holds ${by < 0 ? '4,194,306' : '4,194,308'} bytes`
    })
  })

  test('asks for no size that it was told at the close', async () => {
    const { server, run } = await open({ isClosed: true })
    expect(await run(mode)).toMatchObject({ size: 4 * MIB + 3, mtime: 1 })
    expect(server.requests('stat')).toEqual([])
  })

  test('leaves no file open', async () => {
    const { clock, remote, run } = await open({ kept: [0] })
    await run(mode)
    await clock.untilQuiet()
    expect(remote.openFiles.size).toBe(0)
  })

  test('refuses when there is nothing', async () => {
    const { server, run } = await open()
    server.remove(PATH)
    await expect(run(mode)).rejects.toMatchObject({
      ...notVerified,
      message: 'check a.part: the server must hold 4,194,307 bytes and holds nothing'
    })
  })

  test.each([0, 2 * MIB - 1, 2 * MIB, 4 * MIB + 2])(
    'finds a wrong byte at %i of a file that kept blocks',
    async offset => {
      const { server, bytes, run } = await open({ kept: [0, 1] })
      server.put(PATH, changed(bytes, { offset, length: 1 }, 1))
      await expect(run(mode)).rejects.toMatchObject({
        ...notVerified,
        message: 'check a.part: the bytes on the server are not those of the local file'
      })
    }
  )

  test.each([0, 2 * MIB + 9, 4 * MIB + 2])(
    'finds a wrong byte at %i of a file that is in doubt since it held the middle',
    async offset => {
      const { server, bytes, run } = await open({ doubtful: [{ offset: 2 * MIB, length: 10 }] })
      server.put(PATH, changed(bytes, { offset, length: 1 }, 1))
      await expect(run(mode)).rejects.toMatchObject(notVerified)
    }
  )

  test('refuses when the file is gone by the time that it is read', async () => {
    const { server, run } = await open({ kept: [0], isClosed: true })
    server.remove(PATH)
    await expect(run(mode)).rejects.toMatchObject({ ...notVerified, message: 'check a.part: it is gone' })
  })

  test('says when the connection is lost', async () => {
    const { server, run } = await open({ kept: [0] })
    server.faults.push({ on: 'openForReading', then: 'cut' })
    await expect(run(mode)).rejects.toMatchObject({ code: 'connection-lost' })
  })

  test('does not take trouble with the local file for the server refusing to read', async () => {
    const { disk, run, events } = await open({ kept: [0] })
    disk.isUnreadable = () => true
    await expect(run(mode)).rejects.toMatchObject({ code: 'source-unreadable' })
    expect(events).toEqual([])
  })
})

test.each(['size', 'timestamp'] as const)('%s reads nothing of a file that kept nothing', async mode => {
  const { server, run, reads } = await open()
  await run(mode)
  expect(reads()).toBe(0)
  expect(server.requests('openForReading')).toEqual([])
})

test.each(['size', 'timestamp'] as const)(
  '%s gives one warning where a file that kept blocks cannot be read',
  async mode => {
    const { server, run, events } = await open({ kept: [0] })
    server.faults.push({ on: 'openForReading', then: 'permission' })
    await run(mode)
    expect(events).toEqual([
      {
        type: 'warning',
        text: expect.stringMatching(/^The server lets nobody read a\.part \(.+\); its size is right\.$/)
      }
    ])
  }
)

test.each(['tail', 'full'] as const)('%s fails where the server does not let it read', async mode => {
  const { server, run } = await open()
  server.faults.push({ on: 'read', then: 'permission' })
  await expect(run(mode)).rejects.toMatchObject({ code: 'permission' })
})

test('tail finds a wrong byte in the last 1 MiB, and looks no further', async () => {
  for (const [offset, isFound] of [
    [3 * MIB + 2, false],
    [3 * MIB + 3, true],
    [4 * MIB + 2, true]
  ] as const) {
    const { server, bytes, run } = await open()
    server.put(PATH, changed(bytes, { offset, length: 1 }, 1))
    if (isFound) await expect(run('tail')).rejects.toMatchObject(notVerified)
    else await run('tail')
  }
})

describe('full', () => {
  test('believes a matching digest, without reading', async () => {
    const { run, reads } = await open({ sha256: 'right' })
    await run('full')
    expect(reads()).toBe(0)
  })

  test.each(['none', 'wrong'] as const)('reads everything back where the digest is %s', async sha256 => {
    const { run, reads } = await open({ sha256 })
    await run('full')
    expect(reads()).toBe(17)
  })

  test.each(['none', 'right', 'wrong'] as const)('finds a wrong byte anywhere (digest: %s)', async sha256 => {
    for (const offset of [0, 1_234_567, 3 * MIB, 4 * MIB + 2]) {
      const { server, bytes, run } = await open({ sha256 })
      server.put(PATH, changed(bytes, { offset, length: 1 }, 1))
      await expect(run('full')).rejects.toMatchObject(notVerified)
    }
  })

  test('reads back where asking for the digest fails', async () => {
    const { server, run, reads } = await open({ sha256: 'right' })
    server.faults.push({ on: 'sha256', then: 'permission' })
    await run('full')
    expect(reads()).toBe(17)
  })

  test('does not wait for the digest of the local file when it is told to stop', async () => {
    const stop = new AbortController()
    const { clock, disk, run } = await open({ sha256: 'right', signal: stop.signal })
    disk.digestMs = 60_000
    clock.after(1_000, () => stop.abort(cancelled()))
    const startedMs = clock.now()
    await expect(run('full')).rejects.toMatchObject({ code: 'cancelled' })
    expect(clock.now() - startedMs).toBe(1_000)
  })
})

test('the tail of a short file is the file', () => {
  expect(tailOf(0)).toEqual({ offset: 0, length: 0 })
  expect(tailOf(10)).toEqual({ offset: 0, length: 10 })
  expect(tailOf(3 * MIB + 1)).toEqual({ offset: 2 * MIB + 1, length: MIB })
})
