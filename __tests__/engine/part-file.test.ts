import { describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { Lane } from '../../src/engine/lane.js'
import { PartFile } from '../../src/engine/part-file.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type MemorySession, type ServerTraits } from '../support/memory-server.js'

const PATH = 'a.part'

/** Opened by the first of three lanes, and joined by the second. */
async function open(traits: Partial<ServerTraits> = {}) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock, { window: 1000, ...traits })
  const connect = () => clock.until(server.connect(new AbortController().signal))
  const [first, second, third] = [await connect(), await connect(), await connect()]
  const [home, joined, other] = [new Lane(first), new Lane(second), new Lane(third)]
  const part = new PartFile(
    PATH,
    home,
    await clock.until(first.create(PATH, undefined)),
    Promise.resolve(true)
  )
  part.join(joined, await clock.until(second.reopen(PATH)))
  const cut = async (session: MemorySession) => {
    session.lose(new UploadError('connection-lost', `cut ${session.number}`))
    await session.ended
  }
  const close = (sync: boolean) => clock.until(part.close({ sync }))
  return { clock, server, first, second, third, home, joined, other, part, cut, close }
}

describe('the lanes of a part file', () => {
  test('write through a handle of their own', async () => {
    const { clock, server, home, joined, other, part } = await open()
    await clock.until(part.handleOf(home)?.write(bytesOf(1, 10), 0) ?? Promise.resolve())
    await clock.until(part.handleOf(joined)?.write(bytesOf(2, 10), 10) ?? Promise.resolve())
    expect(server.requests('write').map(({ session }) => session)).toEqual([1, 2])
    expect(part.handleOf(other)).toBeUndefined()
  })

  test('add up to its window, until they leave', async () => {
    const { clock, second, joined, part } = await open()
    expect(part.window).toBe(2000)
    part.leave(joined)
    expect(part.window).toBe(1000)
    expect(part.handleOf(joined)).toBeUndefined()
    await clock.untilQuiet()
    expect(second.openFiles.size).toBe(0)
  })

  test('may leave without having joined, and when their session has ended', async () => {
    const { clock, second, joined, other, part, cut } = await open()
    part.leave(other)
    await cut(second)
    part.leave(joined)
    await clock.untilQuiet()
    expect(part.window).toBe(1000)
  })

  test('lose it when all of them have ended, for the reason of the one that opened it', async () => {
    const { first, second, third, home, part, cut } = await open()
    await cut(third)
    await cut(first)
    expect(part.lost).toBeUndefined()
    await cut(second)
    expect(part.lost).toBe(home.ended)
    expect(part.lost?.code).toBe('connection-lost')
  })
})

describe('closing', () => {
  test('closes every handle, and tells what the server says of the file', async () => {
    const { server, first, second, part, close } = await open()
    server.open(PATH).write(bytesOf(1, 77), 0)
    expect(await close(false)).toMatchObject({ size: 77 })
    expect([first.openFiles.size, second.openFiles.size]).toEqual([0, 0])
    expect(server.requests('sync')).toEqual([])
    expect(part.window).toBe(0)
  })

  test('puts the file on the disk once where that is asked for', async () => {
    const { server, close } = await open()
    await close(true)
    expect(server.requests('sync')).toHaveLength(1)
    expect(server.requests('close')).toHaveLength(2)
  })

  test('leaves out the lanes that have ended', async () => {
    const { server, first, second, cut, close } = await open()
    server.open(PATH).write(bytesOf(1, 77), 0)
    await cut(first)
    expect(await close(true)).toMatchObject({ size: 77 })
    expect(server.requests('close').map(({ session }) => session)).toEqual([second.number])
    expect(server.requests('sync')).toHaveLength(1)
  })

  test('closes the others when one is refused, and says so', async () => {
    const { server, second, close } = await open()
    server.faults.push({ on: 'close', session: 1, then: 'no-space' })
    await expect(close(false)).rejects.toMatchObject({ code: 'no-space' })
    expect(second.openFiles.size).toBe(0)
  })

  test('does without the answer of a server that does not tell of open files', async () => {
    const { server, close } = await open()
    server.faults.push({ on: 'fstat', then: 'unsupported', times: Infinity })
    expect(await close(false)).toBeUndefined()
  })

  test('says when the file cannot be put on the disk', async () => {
    const { server, close } = await open()
    server.faults.push({ on: 'sync', then: 'server-failure' })
    await expect(close(true)).rejects.toMatchObject({ code: 'server-failure' })
  })
})
