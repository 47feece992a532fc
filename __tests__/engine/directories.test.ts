import { describe, expect, test } from '@jest/globals'
import { Directories } from '../../src/engine/directories.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import type { AttributesOf } from '../../src/engine/try-setting.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { type Fault, MemoryServer } from '../support/memory-server.js'

async function open(mode?: number) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const made = () => [...server.directories].filter(path => !before.has(path))
  const before = new Set(server.directories)
  const warnings: string[] = []
  const emit = (event: UploadEvent) => warnings.push(event.type === 'warning' ? event.text : event.type)
  const run = { traits: { refusedAttributes: new Set<AttributesOf>() }, world: { emit } }
  return { clock, server, remote, made, warnings, run, directories: new Directories(mode, run) }
}

test('makes what is missing, parents first, and each only once', async () => {
  const { clock, server, remote, made, directories } = await open()
  const all = ['a/b/c', 'a/b', 'a/b/d', 'a/b/c', 'e'].map(path => directories.ensure(remote, path))
  await clock.until(Promise.all(all))
  expect(made()).toEqual(['e', 'a', 'a/b', 'a/b/c', 'a/b/d'])
  // Once at a venture, once when its parent is there.
  for (const path of made()) {
    const tries = server.requests('makeDirectory').filter(request => request.path === path)
    expect(tries.length).toBeLessThanOrEqual(2)
  }
  const asked = server.log.length
  await clock.until(directories.ensure(remote, 'a/b/c'))
  expect(server.log).toHaveLength(asked)
})

test('looks no further up than it must', async () => {
  const { clock, server, remote, directories } = await open()
  server.put('a/b/file', bytesOf(1, 1))
  await clock.until(directories.ensure(remote, 'a/b'))
  expect(server.requests('makeDirectory').map(({ path }) => path)).toEqual(['a/b'])
  expect(server.requests('stat').map(({ path }) => path)).toEqual(['a/b'])
})

test('asks once for what another file waits for, and is told the same', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'makeDirectory', times: Infinity, then: 'permission' })
  const both = [directories.ensure(remote, 'a'), directories.ensure(remote, 'a')]
  for (const settled of await clock.until(Promise.allSettled(both)))
    expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'permission' } })
  // At a venture, and when it is known that nothing is missing above it.
  expect(server.requests('makeDirectory')).toHaveLength(2)
})

test('makes it over another session when the one that was making it is lost', async () => {
  const { clock, server, remote, directories } = await open()
  const other = await clock.until(server.connect(new AbortController().signal))
  server.faults.push({ on: 'makeDirectory', then: 'cut' })
  const [first, second] = await clock.until(
    Promise.allSettled([directories.ensure(remote, 'a'), directories.ensure(other, 'a')])
  )
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'connection-lost' } })
  expect(second).toMatchObject({ status: 'fulfilled' })
  expect(server.directories.has('a')).toBe(true)
})

test('makes nothing for a file in the login directory, and takes an absolute path', async () => {
  const { clock, server, remote, made, directories } = await open()
  await clock.until(directories.ensure(remote, undefined))
  expect(server.requests('stat')).toEqual([])
  await clock.until(directories.ensure(remote, '/srv/www'))
  expect(made()).toEqual(['/srv', '/srv/www'])
})

test('is content when another run makes it at the same time', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'makeDirectory', then: 'server-failure', takesEffect: true })
  await clock.until(directories.ensure(remote, 'a'))
  expect(server.directories.has('a')).toBe(true)
})

test('says what the server said when it cannot be made, and tries again when asked again', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'makeDirectory', times: Infinity, then: 'permission' })
  const both = Promise.allSettled([directories.ensure(remote, 'a/b'), directories.ensure(remote, 'a/c')])
  for (const settled of await clock.until(both)) {
    expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'permission' } })
  }
  server.faults.length = 0
  await clock.until(directories.ensure(remote, 'a/b'))
  expect(server.directories.has('a/b')).toBe(true)
})

test('a directory is made in one round trip where its parent is there', async () => {
  const { clock, server, remote, directories } = await open()
  server.put('a/file', bytesOf(1, 1))
  const asked = server.log.length
  const create = () => remote.create('a/b/c', undefined)
  await clock.until(directories.within(remote, 'a/b', create))
  expect(server.log.slice(asked).map(({ operation }) => operation)).toEqual([
    'stat',
    'makeDirectory',
    'create'
  ])
})

test('directories get the mode that is asked for', async () => {
  const { clock, server, remote, directories } = await open(0o755)
  server.umask = 0o077
  server.traits.ignoresAttributes = true
  await clock.until(directories.ensure(remote, 'a'))
  server.traits.ignoresAttributes = false
  await clock.until(directories.ensure(remote, 'a/b'))
  // As it was made; and as it is set then, whatever bits the server took away.
  expect(Object.fromEntries(server.directoryModes)).toEqual({ a: 0o700, 'a/b': 0o755 })
})

test('a mode that is refused is one warning for all directories, and says nothing of files', async () => {
  const { clock, server, remote, made, warnings, run, directories } = await open(0o777)
  server.umask = 0o077
  server.faults.push({ on: 'setAttributes', times: Infinity, then: 'permission' })
  await clock.until(directories.ensure(remote, 'a/b/c'))
  expect(made()).toEqual(['a', 'a/b', 'a/b/c'])
  expect(warnings).toEqual([
    expect.stringMatching(
      /^The server does not set permissions or times of directories \(set.*Attributes a.*\); they stay as they are\.$/
    )
  ])
  expect([...run.traits.refusedAttributes]).toEqual(['directories'])
  expect(server.requests('setAttributes')).toHaveLength(1)
})

test('a file is created again when its directory had to be made first', async () => {
  const { clock, server, remote, directories } = await open()
  await clock.until(directories.within(remote, 'a/b', () => remote.create('a/b/c', undefined)))
  expect(server.bytesOf('a/b/c')).toHaveLength(0)
})

test('makes directories again that are gone since: servers over an object store forget those without files', async () => {
  const { clock, server, remote, made, directories } = await open()
  await clock.until(directories.ensure(remote, 'a/b'))
  for (const path of made()) server.directories.delete(path)
  const create = (name: string) =>
    directories.within(remote, 'a/b', () => remote.create(`a/b/${name}`, undefined))
  await clock.until(Promise.all([create('c'), create('d')]))
  expect(server.bytesOf('a/b/c')).toHaveLength(0)
  expect(server.bytesOf('a/b/d')).toHaveLength(0)
  // At first, and once again: each of them at a venture, and the lower one when the other is there.
  expect(server.requests('makeDirectory')).toHaveLength(6)
})

test('finds over another session what was made when the first one was lost', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'makeDirectory', then: 'cut', takesEffect: true })
  await expect(clock.until(directories.ensure(remote, 'a'))).rejects.toMatchObject({
    code: 'connection-lost'
  })
  const other = await clock.until(server.connect(new AbortController().signal))
  await clock.until(directories.ensure(other, 'a'))
  const asked = server.log.filter(({ session }) => session === 2).map(({ operation }) => operation)
  expect(asked).toEqual(['connect', 'stat', 'makeDirectory'])
})

test.each(['a', 'a/b'])('does not take a file for a directory: %s', async path => {
  const { clock, server, remote, directories } = await open()
  server.put(path, bytesOf(1, 1))
  await expect(clock.until(directories.ensure(remote, 'a/b/c'))).rejects.toMatchObject({
    code: 'wrong-type',
    message: `make the directory ${path}: a file of that name is in its place`
  })
})

test.each(['permission', 'connection-lost'] as const)(
  'says why it cannot be made when its parent is there (%s)',
  async then => {
    const { clock, server, remote, directories } = await open()
    server.put('a/file', bytesOf(1, 1))
    server.faults.push({ on: 'makeDirectory', path: /^a\/b$/, times: Infinity, then })
    await expect(clock.until(directories.ensure(remote, 'a/b'))).rejects.toMatchObject({ code: then })
    const tries = then === 'permission' ? ['a/b', 'a', 'a/b'] : ['a/b']
    expect(server.requests('makeDirectory').map(({ path }) => path)).toEqual(tries)
  }
)

test('says so when the server does not tell what is there', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'stat', then: 'permission' })
  await expect(clock.until(directories.ensure(remote, 'a'))).rejects.toMatchObject({ code: 'permission' })
})

describe('a file that is created in a directory', () => {
  async function within(directory: string | undefined, isKnown: boolean, faults: readonly Fault[]) {
    const { clock, server, remote, directories } = await open()
    server.directories.add('a')
    if (isKnown) await clock.until(directories.ensure(remote, directory))
    server.log.length = 0
    server.faults.push(...faults)
    const path = directory === undefined ? 'f' : `${directory}/f`
    const settled = await clock.until(
      Promise.allSettled([directories.within(remote, directory, () => remote.create(path, undefined))])
    )
    return { settled, creates: server.requests('create').length, server }
  }

  test('of the login is, without a question', async () => {
    const { settled, server } = await within(undefined, false, [])
    expect(settled).toMatchObject([{ status: 'fulfilled' }])
    expect(server.log.map(({ operation }) => operation)).toEqual(['create'])
  })

  test('is, though the server refuses to make what is there', async () => {
    const faults = [{ on: ['stat', 'makeDirectory'], then: 'permission', times: 9 }] as const
    const { settled, creates } = await within('a', false, faults)
    expect(settled).toMatchObject([{ status: 'fulfilled' }])
    expect(creates).toBe(1)
  })

  test.each([
    { isKnown: true, then: 'permission', creates: 1 },
    { isKnown: true, then: 'connection-lost', creates: 1 },
    { isKnown: true, then: 'not-found', creates: 2 },
    { isKnown: false, then: 'connection-lost', creates: 1 },
    { isKnown: false, then: 'permission', creates: 2 }
  ] as const)(
    'and is refused with $then is tried $creates times (known: $isKnown)',
    async ({ isKnown, then, creates }) => {
      const outcome = await within('a', isKnown, [{ on: 'create', then, times: 9 }])
      expect(outcome.settled).toMatchObject([{ status: 'rejected', reason: { code: then } }])
      expect(outcome.creates).toBe(creates)
    }
  )

  test('says why there is no directory', async () => {
    const { settled, creates } = await within('b', false, [
      { on: 'makeDirectory', then: 'permission', times: 9 }
    ])
    expect(settled).toMatchObject([{ status: 'rejected', reason: { code: 'permission' } }])
    expect(creates).toBe(1)
  })
})
