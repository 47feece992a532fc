import { expect, test } from '@jest/globals'
import { Directories } from '../../src/engine/directories.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'

async function open() {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const made = () => [...server.directories].filter(path => !before.has(path))
  const before = new Set(server.directories)
  return { clock, server, remote, made, directories: new Directories(0o755) }
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
})

test('does not look again over a session that was lost', async () => {
  const { clock, server, remote, directories } = await open()
  server.faults.push({ on: 'makeDirectory', then: 'cut', takesEffect: true })
  await expect(clock.until(directories.ensure(remote, 'a'))).rejects.toMatchObject({
    code: 'connection-lost'
  })
  const other = await clock.until(server.connect(new AbortController().signal))
  await clock.until(directories.ensure(other, 'a'))
})

test.each(['a', 'a/b'])('does not take a file for a directory: %s', async path => {
  const { clock, server, remote, directories } = await open()
  server.put(path, bytesOf(1, 1))
  await expect(clock.until(directories.ensure(remote, 'a/b/c'))).rejects.toMatchObject({ code: 'wrong-type' })
})
