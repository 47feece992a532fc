import { beforeEach, describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { CountedRemote } from '../../src/engine/counted-remote.js'
import { OpenHandles, TooManyOpen } from '../../src/engine/open-handles.js'
import type { Remote, RemoteFile } from '../../src/engine/ports.js'

const refused = new UploadError('server-failure', 'Failure')
const forbidden = new UploadError('permission', 'Permission denied')

/** A session that notes what it is asked for. */
class NotedSession {
  readonly calls: unknown[][] = []
  answer: (name: string) => Promise<unknown> = name => Promise.resolve(`answer to ${name}`)
  end: (reason: UploadError) => void = () => undefined

  open(): Remote {
    const ended = new Promise<UploadError>(resolve => (this.end = resolve))
    const methods = new Set<string>(Object.keys(REQUESTS))
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
})

test('whoever waits for a handle to be closed waits for that, and not where none is open', async () => {
  const all = new OpenHandles()
  await all.closed()
  all.noteOpened()
  let isClosed = false
  const closed = all.closed().then(() => (isClosed = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(isClosed).toBe(false)
  all.noteClosed(1)
  await closed
  expect(all.open).toBe(0)
})

test('more handles than were thought the most show that they were not', () => {
  const all = new OpenHandles()
  all.most = 1
  all.noteOpened()
  expect(all.most).toBe(1)
  all.noteOpened()
  expect(all.most).toBe(2)
  expect(all.mostFiles).toBe(1)
})

test.each([Infinity, 5])('fewer handles than the most, %d, do not change it', most => {
  const all = new OpenHandles()
  all.most = most
  all.noteOpened()
  expect(all.most).toBe(most)
})

test('all openings are answered when the last is, a refusal included', async () => {
  const all = new OpenHandles()
  let answer: () => void = () => undefined
  all.asked.add(new Promise<void>(resolve => (answer = resolve)))
  all.asked.add(Promise.reject(refused))
  let areAnswered = false
  const answered = all.answered().then(() => (areAnswered = true))
  await new Promise(resolve => setImmediate(resolve))
  expect(areAnswered).toBe(false)
  answer()
  await answered
})

test('the most that were open at once since a mark are known, whatever came before and is closed', () => {
  const all = new OpenHandles()
  const openAndClose = (opened: number, closed: number) => {
    for (let count = 0; count < opened; count++) all.noteOpened()
    all.noteClosed(closed)
  }
  openAndClose(9, 7)
  const early = all.mark()
  expect(all.peakSince(early)).toBe(2)
  openAndClose(3, 4)
  const late = all.mark()
  openAndClose(2, 1)
  expect([early, late].map(mark => all.peakSince(mark))).toEqual([5, 3])
  openAndClose(4, 6)
  expect([early, late].map(mark => all.peakSince(mark))).toEqual([6, 6])
})

test('others that are open, or were since a mark, are counted', () => {
  const all = new OpenHandles()
  all.noteOpened()
  const mark = all.mark()
  expect(all.othersSince(mark)).toBe(1)
  all.noteOpened()
  all.noteClosed(2)
  expect(all.othersSince(mark)).toBe(2)
  expect(all.othersSince(all.mark())).toBe(0)
})
