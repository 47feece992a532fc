import { beforeEach, describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { CountedRemote } from '../../src/engine/counted-remote.js'
import { OpenHandles, TooManyOpen } from '../../src/engine/open-handles.js'
import type { Remote, RemoteFile } from '../../src/engine/ports.js'
import { bytesOf } from '../support/memory-bytes.js'
import { decisionsOf, MemoryWorld, resultOf, warnings, type Outcome } from '../support/memory-world.js'
import type { ServerTraits } from '../support/memory-server.js'

const MIB = 1024 * 1024
const refused = new UploadError('server-failure', 'Failure')
const forbidden = new UploadError('permission', 'Permission denied')

/** A session that notes what it is asked for. */
class NotedSession {
  readonly calls: unknown[][] = []
  answer: (name: string) => Promise<unknown> = name => Promise.resolve(`answer to ${name}`)
  end: (reason: UploadError) => void = () => undefined

  open(): Remote {
    const ended = new Promise<UploadError>(resolve => (this.end = resolve))
    const methods = new Set([...Object.keys(REQUESTS), 'close'])
    const get = (_target: object, name: string) => {
      if (name === 'ended') return ended
      if (name === 'maxOpenFiles') return Infinity
      if (!methods.has(name)) return `value of ${name}`
      return (...given: unknown[]) => {
        this.calls.push([name, ...given])
        return this.answer(name)
      }
    }
    return new Proxy({}, { get }) as Remote
  }
}

const REQUESTS = {
  create: ['a', 0o644],
  reopen: ['a'],
  openForReading: ['a'],
  list: ['a'],
  stat: ['a'],
  kindOf: ['a'],
  makeDirectory: ['a', 0o755],
  replace: ['a', 'b'],
  rename: ['a', 'b'],
  copy: ['a', 'b', [], 0o644],
  remove: ['a'],
  removeDirectory: ['a'],
  setAttributes: ['a', { mode: 0o644 }],
  freeBytes: ['a'],
  sha256: ['a', 5]
}
const OPENINGS = ['create', 'reopen', 'openForReading']
type Request = keyof typeof REQUESTS

describe('a session whose handles are counted', () => {
  let session: NotedSession
  let all: OpenHandles
  let remote: CountedRemote

  const ask = (name: Request) =>
    (remote as unknown as Record<Request, (...given: unknown[]) => Promise<unknown>>)[name](...REQUESTS[name])
  const open = async () => {
    session.answer = () => Promise.resolve({ close: () => Promise.resolve() })
    return (await ask('create')) as RemoteFile
  }

  beforeEach(() => {
    session = new NotedSession()
    all = new OpenHandles()
    remote = new CountedRemote(session.open(), all)
  })

  test.each(['chunkSize', 'window', 'roundTripMs', 'canReplace', 'canCopy'] as const)(
    'has the %s of the session',
    name => {
      expect(remote[name]).toBe(`value of ${name}`)
    }
  )

  test.each(Object.keys(REQUESTS) as Request[])('hands on %s', async name => {
    const answered = await ask(name)
    expect(session.calls).toEqual([[name, ...REQUESTS[name]]])
    if (!OPENINGS.includes(name)) expect(answered).toBe(name === 'copy' ? undefined : `answer to ${name}`)
  })

  test.each(Object.keys(REQUESTS) as Request[])('hands on why %s is refused', async name => {
    session.answer = () => Promise.reject(forbidden)
    await expect(ask(name)).rejects.toBe(forbidden)
    expect(session.calls).toHaveLength(1)
  })

  test('counts what is open until it is closed, or ends with its session', async () => {
    const other = new CountedRemote(new NotedSession().open(), all)
    const files = [await open(), await open(), await open()]
    expect([remote.handles.open, all.open]).toEqual([3, 3])
    await files[0]?.close()
    expect([remote.handles.open, other.handles.open, all.open]).toEqual([2, 0, 2])
    session.end(forbidden)
    await remote.ended
    expect(all.open).toBe(0)
    await files[1]?.close()
    expect(all.open).toBe(0)
  })

  test.each([
    { opened: 1, error: refused, isTooMany: false },
    { opened: 2, error: refused, isTooMany: true },
    { opened: 2, error: forbidden, isTooMany: false }
  ])('with $opened of 3 handles open, a copy that fails with $error has too few: $isTooMany', async given => {
    for (let count = 0; count < given.opened; count++) await open()
    remote.handles.most = 3
    session.answer = () => Promise.reject(given.error)
    const error: unknown = await ask('copy').catch((thrown: unknown) => thrown)
    if (given.isTooMany) expect(error).toMatchObject({ refusal: refused, open: 3 })
    else expect(error).toBe(given.error)
    expect(error instanceof TooManyOpen).toBe(given.isTooMany)
  })

  describe('that refuses to open a file without a reason', () => {
    let other: CountedRemote
    let otherSession: NotedSession

    beforeEach(() => {
      otherSession = new NotedSession()
      other = new CountedRemote(otherSession.open(), all)
    })

    const refusalOf = async (name: Request): Promise<unknown> => {
      session.answer = () => Promise.reject(refused)
      return ask(name).catch((error: unknown) => error)
    }
    const openElsewhere = async () => {
      otherSession.answer = () => Promise.resolve({ close: () => Promise.resolve() })
      await other.create('b', undefined)
    }

    test('has another one where nothing is open', async () => {
      const file = await open()
      await file.close()
      expect(await refusalOf('create')).toBe(refused)
      expect([remote.handles.most, all.most]).toEqual([Infinity, Infinity])
    })

    test('has another one where it never opened any in this way', async () => {
      await open()
      expect(all.opened).toEqual(new Set(['create']))
      expect(await refusalOf('reopen')).toBe(refused)
      expect(await refusalOf('openForReading')).toBe(refused)
    })

    test('takes so many for this session, where others of it are open', async () => {
      await open()
      await open()
      await openElsewhere()
      expect(await refusalOf('create')).toMatchObject({ refusal: refused, open: 2 })
      expect([remote.handles.most, other.handles.most, all.most]).toEqual([2, Infinity, Infinity])
    })

    test('takes so many for all sessions, where others are open over these only', async () => {
      await openElsewhere()
      await openElsewhere()
      expect(await refusalOf('create')).toMatchObject({ refusal: refused, open: 2 })
      expect([remote.handles.most, all.most]).toEqual([Infinity, 2])
    })

    test('takes as many as were open since it was asked, where they are closed by the time that it is looked at', async () => {
      const files = [await open(), await open(), await open()]
      session.answer = async () => {
        for (const file of files) await file.close()
        throw refused
      }
      await expect(ask('create')).rejects.toMatchObject({ open: 3 })
      expect(remote.handles.most).toBe(3)
    })

    test.each(['session', 'server'] as const)(
      'is full, whatever is opened, where the %s is known to be',
      async what => {
        await open()
        await open()
        const known = what === 'session' ? remote.handles : all
        known.most = 3
        expect(await refusalOf('reopen')).toBe(refused)
        known.most = 2
        expect(await refusalOf('reopen')).toBeInstanceOf(TooManyOpen)
      }
    )
  })

  test('ends with the session when it is closed', async () => {
    session.answer = () => {
      session.end(forbidden)
      return Promise.resolve()
    }
    remote.close()
    expect(session.calls).toEqual([['close']])
    expect(await remote.ended).toBe(forbidden)
  })

  test('knows in which ways files were opened', async () => {
    for (const name of ['create', 'reopen', 'openForReading'] as const) await ask(name)
    expect(all.opened).toEqual(new Set(['create', 'reopen', 'read']))
  })

  test('syncs a file that it opened', async () => {
    let synced = 0
    session.answer = () => Promise.resolve({ sync: () => Promise.resolve(synced++) })
    await ((await ask('create')) as RemoteFile).sync()
    expect(synced).toBe(1)
  })

  test('asks for a listing again while something is open that may be closed, six times at most', async () => {
    await open()
    session.calls.length = 0
    session.answer = () => Promise.reject(refused)
    const listing = Promise.allSettled([ask('list')])
    for (let closed = 0; closed < 10; closed++) {
      await new Promise(resolve => setImmediate(resolve))
      all.wake()
    }
    expect(await listing).toMatchObject([{ status: 'rejected', reason: refused }])
    expect(session.calls).toHaveLength(6)
  })

  test('asks for a listing once where nothing is open', async () => {
    session.answer = () => Promise.reject(refused)
    await expect(ask('list')).rejects.toBe(refused)
    expect(session.calls).toHaveLength(1)
  })

  test('waits for no handle that went with its session', async () => {
    const otherSession = new NotedSession()
    const other = new CountedRemote(otherSession.open(), all)
    await open()
    otherSession.answer = () => Promise.reject(refused)
    const listing = Promise.allSettled([other.list('a')])
    await new Promise(resolve => setImmediate(resolve))
    expect(otherSession.calls).toHaveLength(1)
    session.end(new UploadError('connection-lost', 'cut'))
    expect(await listing).toMatchObject([{ status: 'rejected', reason: refused }])
    expect(otherSession.calls).toHaveLength(2)
  })
})

function worldOf(small: number, traits: Partial<ServerTraits> = {}): MemoryWorld {
  const world = new MemoryWorld(traits)
  for (let index = 0; index < small; index++) world.put(`file-${index}`, bytesOf(index, 100))
  return world
}

function notices({ events }: Outcome): string[] {
  return events.flatMap(event => (event.type === 'notice' ? [event.text] : []))
}

function statuses({ report }: Outcome): string[] {
  return [...new Set(report.results.map(({ status }) => status))]
}

describe('a server that lets few handles be open, and tells it only by its refusals', () => {
  test.each([
    ['of each session', { handlesOfSession: 5 }, 1],
    ['of each session', { handlesOfSession: 5 }, 3],
    ['of each session', { handlesOfSession: 1 }, 2],
    ['of each session, in any order', { handlesOfSession: 3, shufflesAnswers: true }, 3],
    ['of all sessions', { handlesOfAll: 12 }, 3],
    ['of all sessions', { handlesOfAll: 2 }, 4]
  ])('%s, as %j, gets all files in one run, over %i connections', async (_of, traits, connections) => {
    for (let seed = 1; seed <= 4; seed++) {
      const world = worldOf(300, { ...traits, seed, jitterMs: 4 * seed })
      expect(statuses(await world.run({ connections, retries: 0 }))).toEqual(['uploaded'])
    }
  })

  test('is asked for no more than it took from then on, and that is told once', async () => {
    const world = worldOf(400, { handlesOfSession: 8 })
    const outcome = await world.run()
    const asked = world.server.requests('create').length
    // What was on its way when the first one was refused, and was asked for once more.
    expect(asked).toBeLessThanOrEqual(2 * 400 - 8)
    expect(asked).toBeGreaterThan(400)
    expect(notices(outcome)).toEqual(['The server lets only 8 files be open at once; going on with fewer.'])
  })

  test.each([1, 2, 3, 5])('(%i) gets large files beside small ones, and continues them', async handles => {
    const world = worldOf(60)
    const large = ['a', 'b', 'c', 'd']
    for (const name of large) world.put(name, bytesOf(name.charCodeAt(0), 6 * MIB))
    for (const name of large)
      world.server.faults.push({
        on: 'write',
        path: new RegExp(`/${name}\\.`),
        afterBytes: 4 * MIB,
        times: Infinity,
        then: 'permission'
      })
    await world.run({ names: large })
    world.server.faults.length = 0
    world.server.traits.handlesOfSession = handles
    const outcome = await world.run({ connections: 2, retries: 0, writer: { attempt: 2 } })
    expect(statuses(outcome)).toEqual(['uploaded'])
    for (const name of large) expect(resultOf(outcome, name).reusedBytes).toBeGreaterThan(2 * MIB)
    expect(warnings(outcome).length > 0).toBe(handles === 1)
  })

  test.each(['size', 'tail', 'full'] as const)(
    'has whole files read back, too (verify: %s)',
    async verify => {
      const world = worldOf(100)
      for (let index = 0; index < 20; index++) world.put(`part-${index}`, bytesOf(index, 2 * MIB))
      world.put('missing', bytesOf(7, 10))
      world.server.faults.push({ on: 'create', path: /missing/, then: 'permission' })
      await world.run({ publish: 'together', verify })
      world.server.traits.handlesOfSession = 4
      const outcome = await world.run({ publish: 'together', verify, retries: 0, writer: { attempt: 2 } })
      expect(statuses(outcome)).toEqual(['uploaded'])
      expect(decisionsOf(outcome).filter(decision => decision === 'keep').length).toBeGreaterThanOrEqual(120)
      for (let index = 0; index < 20; index++)
        expect(resultOf(outcome, `part-${index}`).reusedBytes).toBe(2 * MIB)
      expect(warnings(outcome)).toEqual([])
    }
  )
})

describe('a refusal without a reason', () => {
  test('of one file only is its own failure, and slows the others down little', async () => {
    const world = worldOf(1000)
    world.server.faults.push({ on: 'create', path: /file-3\./, times: Infinity, then: 'server-failure' })
    const outcome = await world.run({ retries: 0 })
    expect(resultOf(outcome, 'file-3').error?.code).toBe('server-failure')
    expect(outcome.report.results.filter(({ status }) => status === 'uploaded')).toHaveLength(999)
    expect(notices(outcome)).toEqual([])
    const usual = await worldOf(1000).run()
    expect(outcome.report.elapsedMs).toBeLessThan(3 * usual.report.elapsedMs)
  })

  test('of everything is final at once', async () => {
    const world = worldOf(50)
    world.server.faults.push({ on: 'create', times: Infinity, then: 'server-failure' })
    expect(statuses(await world.run())).toEqual(['failed'])
    expect(world.server.requests('create').length).toBeLessThanOrEqual(101)
  })

  test('to open a part file again is not waited out while another file is sent', async () => {
    const world = worldOf(20)
    world.put('app.zip', bytesOf(1, 20 * MIB))
    await world.interrupt(9 * MIB, { names: ['app.zip'] })
    world.server.faults.push({ on: 'reopen', times: Infinity, then: 'server-failure' })
    const outcome = await world.run({ retries: 0, writer: { attempt: 2 } })
    expect(statuses(outcome)).toEqual(['uploaded'])
    expect(world.server.requests('reopen')).toHaveLength(1)
  })
})

test('a session that is lost with some of the few handles of all of them holds nothing up', async () => {
  const world = worldOf(40, { handlesOfAll: 4 })
  world.put('app.zip', bytesOf(1, 20 * MIB))
  world.server.faults.push({ on: 'write', afterBytes: 5 * MIB, then: 'cut' })
  expect(statuses(await world.run({ connections: 2 }))).toEqual(['uploaded'])
})

test('a lane that has no handle left to join a file with leaves it as it is', async () => {
  const world = new MemoryWorld()
  for (const name of ['a', 'b']) world.put(name, bytesOf(name.charCodeAt(0), 20 * MIB))
  world.server.faults.push({ on: 'openForReading', session: 2, after: 1, then: 'server-failure' })
  const outcome = await world.run({ connections: 2, retries: 0 })
  expect(
    world.server.requests('openForReading').filter(({ session }) => session === 2).length
  ).toBeGreaterThan(1)
  expect(decisionsOf(outcome)).toEqual(['start', 'start'])
  expect(statuses(outcome)).toEqual(['uploaded'])
})
