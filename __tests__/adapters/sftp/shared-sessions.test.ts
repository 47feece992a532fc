import { beforeEach, describe, expect, test } from '@jest/globals'
import { SharedSessions } from '../../../src/adapters/sftp/shared-sessions.js'
import { UploadError } from '../../../src/core/errors.js'
import type { Remote } from '../../../src/engine/ports.js'
import { MemoryClock } from '../../support/memory-clock.js'
import { MemoryServer } from '../../support/memory-server.js'

const never = new AbortController().signal

describe('shared sessions', () => {
  let clock: MemoryClock
  let server: MemoryServer
  let sessions: SharedSessions
  const used = () => clock.until(sessions.use(remote => Promise.resolve(remote), never))

  beforeEach(() => {
    clock = new MemoryClock()
    server = new MemoryServer(clock)
    sessions = new SharedSessions(server.connect)
  })

  test('lend the oldest one that lives, and leave it open', async () => {
    const [first, second] = [
      await clock.until(sessions.connect(never)),
      await clock.until(sessions.connect(never))
    ]
    expect(await used()).toBe(first)
    first.close()
    await first.ended
    expect(await used()).toBe(second)
    expect(server.living).toEqual([second])
    expect(server.sessions).toHaveLength(2)
  })

  test('wait for the one that the upload opens, and fail as it does', async () => {
    const opening = sessions.connect(never)
    expect(await used()).toBe(await opening)
    expect(server.sessions).toHaveLength(1)

    server.cutAll()
    await (
      await opening
    ).ended
    server.faults.push({ on: 'connect', then: 'login' })
    const failing = Promise.allSettled([sessions.connect(never)])
    await expect(used()).rejects.toMatchObject({ code: 'login' })
    expect(await failing).toMatchObject([{ status: 'rejected', reason: { code: 'login' } }])
    expect(server.sessions).toHaveLength(1)
  })

  test('tell the upload when it is logged in', async () => {
    let isLoggedIn = false
    await clock.until(sessions.connect(never, { onLoggedIn: () => (isLoggedIn = true) }))
    expect(isLoggedIn).toBe(true)
  })

  test('without one open another for the moment', async () => {
    const lost = await clock.until(sessions.connect(never))
    server.cutAll()
    await lost.ended
    const own = await used()
    expect(own).not.toBe(lost)
    expect(server.living).toEqual([])
  })

  test('close their own also when the work fails', async () => {
    const fails = () => Promise.reject(new UploadError('permission', 'no'))
    await expect(clock.until(sessions.use(fails, never))).rejects.toMatchObject({ code: 'permission' })
    expect(server.sessions).toHaveLength(1)
    expect(server.living).toEqual([])
  })

  test('close their own when the signal is aborted, and not one that is lent', async () => {
    const silent = (remote: Remote) => remote.ended.then(error => Promise.reject(error))
    const stop = new AbortController()
    const working = sessions.use(silent, stop.signal)
    clock.after(1000, () => stop.abort(new UploadError('cancelled', 'stop')))
    await expect(clock.until(working)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(server.living).toEqual([])

    await clock.until(sessions.connect(never))
    const again = new AbortController()
    void sessions.use(silent, again.signal).catch(() => undefined)
    again.abort(new UploadError('cancelled', 'stop'))
    await clock.untilQuiet()
    expect(server.living).toHaveLength(1)
  })

  test('do nothing once the signal is aborted', async () => {
    await clock.until(sessions.connect(never))
    const aborted = AbortSignal.abort(new UploadError('cancelled', 'stop'))
    const working = sessions.use(remote => Promise.resolve(remote), aborted)
    await expect(clock.until(working)).rejects.toMatchObject({ code: 'cancelled' })
  })
})
