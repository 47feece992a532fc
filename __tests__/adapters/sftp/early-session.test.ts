import { beforeEach, describe, expect, test } from '@jest/globals'
import { EarlySession } from '../../../src/adapters/sftp/early-session.js'
import type { Connect, LoginTurn, Remote } from '../../../src/engine/ports.js'
import { MemoryClock } from '../../support/memory-clock.js'
import { MemoryServer } from '../../support/memory-server.js'

const never = new AbortController().signal

/** One that is being opened. */
function begun(connect: Connect, signal = never): EarlySession {
  const early = new EarlySession(connect, signal)
  early.begin()
  return early
}

describe('an early session', () => {
  let clock: MemoryClock
  let server: MemoryServer
  const open = (): EarlySession => begun(server.connect)
  const ask = (early: EarlySession): Promise<Remote> => clock.until(early.connect(never))

  /** More than enough to connect. */
  const pass = () => clock.until(clock.sleep(1000, never))

  beforeEach(() => {
    clock = new MemoryClock()
    server = new MemoryServer(clock)
  })

  test('is opened before it is asked for, and is for the first who asks', async () => {
    const early = open()
    await pass()
    expect(server.sessions).toHaveLength(1)
    const first = await ask(early)
    expect(server.living).toEqual([first])
    expect(await ask(early)).not.toBe(first)
    expect(server.sessions).toHaveLength(2)
  })

  test('is not opened before there is a reason, nor twice', async () => {
    const early = new EarlySession(server.connect, never)
    await pass()
    expect(server.sessions).toEqual([])
    early.begin()
    early.begin()
    await pass()
    expect(server.sessions).toHaveLength(1)
  })

  test('is not opened once somebody has another one, nor when nobody will ask for it', async () => {
    const early = new EarlySession(server.connect, never)
    await ask(early)
    early.begin()
    const other = new EarlySession(server.connect, never)
    other.close()
    other.begin()
    await pass()
    expect(server.sessions).toHaveLength(1)
  })

  test('that has ended meanwhile is nothing for anybody', async () => {
    const early = open()
    await pass()
    const [lost] = server.living
    server.cutAll()
    await lost?.ended
    await pass()
    const remote = await ask(early)
    expect(remote).not.toBe(lost)
    expect(server.living).toEqual([remote])
  })

  test('that cannot be opened says so to the first who asks; the next one tries again', async () => {
    server.faults.push({ on: 'connect', then: 'login' })
    const early = open()
    await expect(ask(early)).rejects.toMatchObject({ code: 'login' })
    const remote = await ask(early)
    expect(server.living).toEqual([remote])
  })

  test('that nobody asks for is closed, and nobody hears of one that cannot be opened', async () => {
    open().close()
    server.faults.push({ on: 'connect', then: 'login' })
    open().close()
    await pass()
    expect(server.living).toEqual([])
  })

  test('is not closed once somebody has it', async () => {
    const early = open()
    const remote = await ask(early)
    early.close()
    await pass()
    expect(server.living).toEqual([remote])
  })

  describe('that is still being opened', () => {
    let opening: { signal: AbortSignal; turn: LoginTurn | undefined }
    const opened = () => new Promise<Remote>(() => undefined)
    const connect: Connect = (signal, turn) => {
      opening = { signal, turn }
      return opened()
    }

    test('tells who asked how far it is, and what it did before', () => {
      const told: string[] = []
      const turn = { onReached: () => told.push('reached'), onLoggedIn: () => told.push('logged in') }
      const early = begun(connect)
      opening.turn?.onReached?.()
      void early.connect(never, turn)
      expect(told).toEqual(['reached'])
      opening.turn?.onLoggedIn?.()
      expect(told).toEqual(['reached', 'logged in'])

      const late = begun(connect)
      opening.turn?.onReached?.()
      opening.turn?.onLoggedIn?.()
      void late.connect(never, turn)
      expect(told).toEqual(['reached', 'logged in', 'reached', 'logged in'])
    })

    test('is closed when it opens after it was given up', async () => {
      const stop = new AbortController()
      const remote = await clock.until(server.connect(never))
      let opened: (remote: Remote) => void = () => undefined
      const early = begun(() => new Promise(resolve => (opened = resolve)))
      const asked = Promise.allSettled([early.connect(stop.signal)])
      stop.abort(new Error('stopped'))
      await asked
      opened(remote)
      await pass()
      expect(server.living).toEqual([])
    })

    test.each(['who opened it', 'who asked for it'])('is given up by %s', async who => {
      const stop = new AbortController()
      const isOpener = who === 'who opened it'
      const early = begun(connect, isOpener ? stop.signal : never)
      const asked = Promise.allSettled([early.connect(isOpener ? never : stop.signal)])
      const { signal } = opening
      expect(signal.aborted).toBe(false)
      stop.abort(new Error('stopped'))
      if (!isOpener)
        expect(await asked).toMatchObject([{ status: 'rejected', reason: { message: 'stopped' } }])
      expect(signal.aborted).toBe(true)
      expect(signal.reason).toMatchObject({ message: 'stopped' })
    })

    test('is given up when nobody will ask for it', () => {
      begun(connect).close()
      expect(opening.signal.aborted).toBe(true)
    })
  })
})
