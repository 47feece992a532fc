import { describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { BlockQueue } from '../../src/engine/block-queue.js'
import type { Lane } from '../../src/engine/lane.js'
import { Lanes } from '../../src/engine/lanes.js'
import type { Connect, LoginTurn, UploadEvent } from '../../src/engine/ports.js'
import { MemoryClock } from '../support/memory-clock.js'
import { type Fault, MemoryServer, type ServerTraits } from '../support/memory-server.js'

interface Given extends Partial<ServerTraits> {
  readonly connections?: number
  readonly wanted?: number
  readonly faults?: readonly Fault[]
  readonly connect?: (server: MemoryServer) => Connect
}

function open({ connections = 4, wanted = connections, faults = [], connect, ...traits }: Given = {}) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock, traits)
  server.faults.push(...faults)
  const events: UploadEvent[] = []
  const stop = new AbortController()
  const queue = new BlockQueue()
  const settings = {
    connect: connect === undefined ? server.connect : connect(server),
    connections,
    queue,
    emit: (event: UploadEvent) => void events.push(event),
    clock,
    signal: stop.signal
  }
  const lanes = Lanes.open(settings, wanted)
  const counts = () => events.flatMap(event => (event.type === 'connected' ? [event.lanes] : []))
  const notices = () => events.flatMap(event => (event.type === 'notice' ? [event.text] : []))
  const wait = (milliseconds: number) => new Promise<void>(resolve => clock.after(milliseconds, resolve))
  const use = <T>(upload: (lane: Lane) => Promise<T>) => clock.until(lanes.use(upload))
  return { clock, server, lanes, queue, events, stop, counts, notices, wait, use }
}

describe('the lanes of an attempt', () => {
  test.each([
    { connections: 4, wanted: 2, expected: 2, told: [1, 2] },
    { connections: 3, wanted: 9, expected: 3, told: [1, 3] },
    { connections: 4, wanted: 1, expected: 1, told: [1] },
    { connections: 4, wanted: 0, expected: 1, told: [1] }
  ])(
    'are $expected, where $wanted are wanted and $connections allowed',
    async ({ expected, told, ...given }) => {
      const { clock, server, counts } = open(given)
      await clock.untilQuiet()
      expect(server.living).toHaveLength(expected)
      expect(counts()).toEqual(told)
    }
  )

  test('all take blocks', async () => {
    const { clock, queue } = open({ connections: 3 })
    await clock.untilQuiet()
    const asked = new Set<Lane>()
    queue.add({
      take: lane => {
        asked.add(lane)
        return undefined
      },
      send: () => Promise.resolve()
    })
    await clock.untilQuiet()
    expect(asked.size).toBe(3)
  })

  test('connect when the host has answered the first, and log in when that one has', async () => {
    const turns: LoginTurn[] = []
    const begunAt: number[] = []
    const loggedInAt: number[] = []
    const { clock } = open({
      connections: 3,
      connect:
        server =>
        async (signal, turn = {}) => {
          turns.push(turn)
          begunAt.push(server.clock.now())
          const isFirst = turns.length === 1
          const after = (milliseconds: number) =>
            new Promise<void>(resolve => server.clock.after(milliseconds, resolve))
          await after(100)
          turn.onReached?.()
          await turn.mayLogIn
          if (isFirst) await after(300)
          turn.onLoggedIn?.()
          loggedInAt.push(server.clock.now())
          return server.connect(signal)
        }
    })
    const startedMs = clock.now()
    await clock.untilQuiet()
    expect(begunAt.map(at => at - startedMs)).toEqual([0, 100, 100])
    expect(loggedInAt.map(at => at - startedMs)).toEqual([400, 400, 400])
  })

  test('have none left when the first is refused, which is told by what waits for it', async () => {
    const { lanes, events, use, server, clock } = open({ faults: [{ on: 'connect', then: 'login' }] })
    expect(lanes.failure).toBeUndefined()
    await expect(use(() => Promise.resolve())).rejects.toMatchObject({ code: 'login' })
    expect(lanes.failure?.code).toBe('login')
    await clock.untilQuiet()
    expect(events).toEqual([])
    expect(server.requests('connect')).toHaveLength(1)
  })

  test.each([
    { then: 'silence', hasStalled: true },
    { then: 'cut', hasStalled: false }
  ] as const)('know whether one of them ended in silence ($then)', async ({ then, hasStalled }) => {
    const { lanes, use } = open({ connections: 1, faults: [{ on: 'stat', then }] })
    expect(lanes.hasStalled).toBe(false)
    await expect(use(({ remote }) => remote.stat('a'))).rejects.toBeInstanceOf(UploadError)
    expect(lanes.hasStalled).toBe(hasStalled)
  })

  test('tell a failure that nobody has thrown on purpose as a lost connection', async () => {
    const { use } = open({ connect: () => () => Promise.reject(new TypeError('no such thing')) })
    await expect(use(() => Promise.resolve())).rejects.toMatchObject({
      code: 'connection-lost',
      message: 'connect: no such thing'
    })
  })
})

describe('a further connection that is refused', () => {
  test.each([
    [
      'connection-lost',
      'The server takes no further connection (connect: refused); going on with 1 connection.'
    ],
    ['login', 'A further connection was refused (connect: refused); going on with 1 connection.']
  ] as const)('is told once, and not tried again (%s)', async (then, text) => {
    const { clock, server, lanes, notices } = open({
      faults: [{ on: 'connect', after: 1, times: Infinity, then }]
    })
    await clock.untilQuiet()
    expect(notices()).toEqual([text])
    expect(server.requests('connect')).toHaveLength(4)
    expect(lanes.failure).toBeUndefined()
  })

  test('before the first is there is told when it is', async () => {
    let calls = 0
    const { clock, notices, counts } = open({
      connect: server => async (signal, turn) => {
        if (++calls > 1) throw new UploadError('connection-lost', 'too many\nwhat to do')
        turn?.onReached?.()
        await Promise.resolve()
        expect(notices()).toEqual([])
        return server.connect(signal)
      }
    })
    await clock.untilQuiet()
    expect(notices()).toEqual([
      'The server takes no further connection (too many); going on with 1 connection.'
    ])
    expect(counts()).toEqual([1])
    expect(calls).toBe(4)
  })

  test('is not told when the first is refused as well', async () => {
    const { clock, events } = open({
      connect: () => async (_signal, turn) => {
        turn?.onReached?.()
        await Promise.resolve()
        throw new UploadError('connection-lost', 'too many')
      }
    })
    await clock.untilQuiet()
    expect(events).toEqual([])
  })

  test('is not told of a run that was told to stop', async () => {
    const { clock, stop, notices } = open({ connections: 3 })
    clock.after(30, () => stop.abort(new UploadError('cancelled', 'told to stop')))
    await clock.untilQuiet()
    expect(notices()).toEqual([])
  })
})

describe('files', () => {
  test('go over the lane that has the fewest', async () => {
    const { clock, lanes, wait } = open({ connections: 3 })
    await clock.untilQuiet()
    const used = new Map<Lane, number>()
    const files = Array.from({ length: 30 }, () =>
      lanes.use(async lane => {
        used.set(lane, (used.get(lane) ?? 0) + 1)
        await wait(10)
      })
    )
    await clock.until(Promise.all(files))
    expect([...used.values()]).toEqual([10, 10, 10])
  })

  test.each([
    { latencyMs: 50, maxOpenFiles: 5, most: 5 },
    { latencyMs: 50, maxOpenFiles: Infinity, most: 512 },
    { latencyMs: 5, maxOpenFiles: Infinity, most: 200 },
    { latencyMs: 0, maxOpenFiles: Infinity, most: 64 }
  ])(
    'wait for room: $most at once over a lane of $latencyMs ms that may have $maxOpenFiles open',
    async given => {
      const { latencyMs, maxOpenFiles } = given
      const { clock, lanes, wait } = open({ connections: 1, maxOpenFiles, latencyMs })
      const working = { now: 0, most: 0 }
      const files = Array.from({ length: given.most + 20 }, () =>
        lanes.use(async () => {
          working.most = Math.max(working.most, ++working.now)
          await wait(10)
          working.now--
        })
      )
      await clock.until(Promise.all(files))
      expect(working).toEqual({ now: 0, most: given.most })
    }
  )

  test('find more room as soon as the first one tells that the server is slow', async () => {
    const { clock, lanes, wait } = open({ connections: 1, latencyMs: 0 })
    const working = { now: 0, most: 0 }
    const files = Array.from({ length: 400 }, () =>
      lanes.use(async () => {
        working.most = Math.max(working.most, ++working.now)
        await wait(300)
        lanes.pace.noteFile(300)
        working.now--
      })
    )
    await clock.until(Promise.all(files))
    expect(working).toEqual({ now: 0, most: 300 })
  })

  test('make room when they fail', async () => {
    const { clock, lanes } = open({ connections: 1, maxOpenFiles: 1 })
    const files = Array.from({ length: 3 }, () =>
      lanes.use(() => Promise.reject(new UploadError('permission', 'refused')))
    )
    const settled = await clock.until(Promise.allSettled(files))
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(lanes.failure).toBeUndefined()
  })

  test('that tell of a lost connection end their lane, and no other one', async () => {
    const { clock, lanes, server, use } = open({ connections: 2 })
    await clock.untilQuiet()
    let used: Lane | undefined
    const lost = use(lane => {
      used = lane
      return Promise.reject(new UploadError('stalled', 'in an answer'))
    })
    await expect(lost).rejects.toMatchObject({ code: 'stalled' })
    await clock.untilQuiet()
    expect(used?.ended).toBeDefined()
    expect(server.living).toHaveLength(1)
    expect(lanes.failure).toBeUndefined()
  })

  test('of a lane that ended go on over another', async () => {
    const { clock, lanes, server, use } = open({ connections: 2 })
    await clock.untilQuiet()
    const other = await use(async lane => {
      expect(lanes.livingOr(lane)).toBe(lane)
      server.sessions[0]?.lose(new UploadError('connection-lost', 'cut'))
      await clock.untilQuiet()
      return lanes.livingOr(lane)
    })
    expect(other.ended).toBeUndefined()
    server.cutAll()
    await clock.untilQuiet()
    expect(() => lanes.livingOr(other)).toThrow('cut')
    expect(lanes.failure?.message).toBe('cut')
    await expect(use(() => Promise.resolve())).rejects.toMatchObject({ message: 'cut' })
  })

  test('that wait for room hear that there is no lane any more', async () => {
    const { clock, lanes, server, wait } = open({ connections: 1, maxOpenFiles: 1 })
    await clock.untilQuiet()
    const held = lanes.use(() => wait(50_000))
    const waiting = lanes.use(() => Promise.resolve())
    clock.after(10, () => server.cutAll())
    const startedMs = clock.now()
    await expect(clock.until(waiting)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(clock.now() - startedMs).toBeLessThan(1_000)
    await clock.until(held)
  })
})

describe('lanes that end', () => {
  test.each([
    [1, '1 connection ended (cut); 2 connections left.'],
    [2, '2 connections ended (cut); 1 connection left.']
  ])('are told in one line, after 2 s: %i', async (ended, text) => {
    const { clock, server, notices } = open({ connections: 3 })
    await clock.untilQuiet()
    for (const [index, session] of server.sessions.slice(0, ended).entries())
      clock.after(index * 1_000, () => session.lose(new UploadError('connection-lost', 'cut\nwhat to do')))
    clock.after(1_900, () => expect(notices()).toEqual([]))
    await clock.untilQuiet()
    expect(notices()).toEqual([text])
  })

  test('are told again when more of them end later', async () => {
    const { clock, server, notices } = open({ connections: 3 })
    await clock.untilQuiet()
    for (const session of server.sessions.slice(0, 2)) {
      session.lose(new UploadError('connection-lost', 'cut'))
      await clock.untilQuiet()
    }
    expect(notices()).toEqual([
      '1 connection ended (cut); 2 connections left.',
      '1 connection ended (cut); 1 connection left.'
    ])
  })

  test('all at once are told by the retry', async () => {
    const { clock, server, notices } = open({ connections: 3 })
    await clock.untilQuiet()
    server.cutAll()
    await clock.untilQuiet()
    expect(notices()).toEqual([])
  })
})

describe('closing', () => {
  test('ends every session, and tells of none', async () => {
    const { clock, lanes, server, notices } = open({ connections: 3 })
    await clock.untilQuiet()
    server.sessions[0]?.lose(new UploadError('connection-lost', 'cut'))
    clock.after(500, () => lanes.close())
    await clock.untilQuiet()
    expect(server.living).toEqual([])
    expect(notices()).toEqual([])
  })

  test('while it connects ends what comes of that', async () => {
    for (const connections of [1, 3]) {
      const { clock, lanes, server, events, use } = open({
        connections,
        // Does not hear of the end in time.
        connect: server => () => server.connect(new AbortController().signal)
      })
      clock.after(10, () => lanes.close())
      const waiting = use(() => Promise.resolve()).catch((error: unknown) => error)
      await clock.untilQuiet()
      expect(server.living).toEqual([])
      expect(server.requests('connect')).toHaveLength(1)
      expect(events).toEqual([])
      void waiting
    }
  })

  test('gives up a connection that is being opened', async () => {
    const { clock, lanes, server, use } = open({ connections: 2, connectMs: 20_000 })
    clock.after(1_000, () => lanes.close())
    const startedMs = clock.now()
    await expect(use(() => Promise.resolve())).rejects.toMatchObject({ code: 'connection-lost' })
    expect(clock.now() - startedMs).toBe(1_000)
    await clock.untilQuiet()
    expect(server.sessions).toEqual([])
  })
})
