import { expect, test } from '@jest/globals'
import { StaleParts } from '../../src/engine/stale-parts.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'

const DAY = 86_400

async function open() {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const put = (path: string, days: number) =>
    server.put(path, bytesOf(1, 1), Math.floor(clock.now() / 1000) - days * DAY)
  return { clock, server, remote, put, stale: new StaleParts(clock) }
}

test('removes what the upload itself gave up at once, with the old copy of a swap', async () => {
  const { clock, server, remote, put, stale } = await open()
  for (const name of ['0123abcd.part', '0123abcd.part.old', '89abcdef.part', '89abcdef.part.old']) {
    put(`site/app.zip.${name}`, 0)
  }
  stale.sweep(remote, 'site/app.zip', ['0123abcd'])
  await clock.until(stale.done())
  expect(server.names('site')).toEqual(['app.zip.89abcdef.part', 'app.zip.89abcdef.part.old'])
})

test('removes part files of the target that are older than 7 days, and nothing else', async () => {
  const { clock, server, remote, put, stale } = await open()
  put('site/app.zip', 30)
  put('site/app.zip.0123abcd.part', 7)
  put('site/app.zip.89abcdef.part', 7 - 1 / DAY)
  put('site/app.zip.0123abcd.part.old', 30)
  put('site/app.zip.0123abc.part', 30)
  put('site/app.zip.0123ABCD.part', 30)
  put('site/app.zip.backup', 30)
  put('site/app.0123abcd.part', 30)
  put('site/my-app.zip.0123abcd.part', 30)
  put('site/sub/app.zip.0123abcd.part', 30)
  stale.sweep(remote, 'site/app.zip')
  await clock.until(stale.done())
  expect(server.requests('remove').map(({ path }) => path)).toEqual(['site/app.zip.0123abcd.part'])
})

test.each(['', 'site/'])(
  'leaves a planned file alone that only has such a name, in "%s"',
  async directory => {
    const { clock, server, remote, put } = await open()
    const planned = `${directory}dump.sql.20240101.part`
    const stale = new StaleParts(clock, new Set([planned]))
    for (const name of ['dump.sql.20240101.part', 'dump.sql.20240102.part']) put(`${directory}${name}`, 30)
    stale.sweep(remote, `${directory}dump.sql`)
    await clock.until(stale.done())
    expect(server.requests('remove').map(({ path }) => path)).toEqual([`${directory}dump.sql.20240102.part`])
  }
)

test('lists a directory once for all of its files', async () => {
  const { clock, server, remote, put, stale } = await open()
  for (const name of ['a', 'b', 'c']) put(`site/${name}.0123abcd.part`, 8)
  for (const name of ['a', 'b']) stale.sweep(remote, `site/${name}`)
  await clock.until(stale.done())
  expect(server.requests('list')).toHaveLength(1)
  expect(server.names('site')).toEqual(['c.0123abcd.part'])
})

test.each([
  ['app.zip', 'app.zip.0123abcd.part', ''],
  ['/app.zip', '/app.zip.0123abcd.part', '/']
])('finds the directory of %s', async (target, part, directory) => {
  const { clock, server, remote, put, stale } = await open()
  put(part, 8)
  server.list = () => [{ name: 'app.zip.0123abcd.part', mtime: 0 }]
  stale.sweep(remote, target)
  await clock.until(stale.done())
  expect(server.files.size).toBe(0)
  expect(server.requests('list').map(({ path }) => path)).toEqual([directory])
})

test.each(['list', 'remove'] as const)('is no failure when the server refuses: %s', async on => {
  const { clock, server, remote, put, stale } = await open()
  put('site/a.0123abcd.part', 8)
  server.faults.push({ on, then: 'permission', times: Infinity })
  const startedMs = clock.now()
  stale.sweep(remote, 'site/a')
  stale.sweep(remote, 'site/b')
  await clock.until(stale.done())
  expect(server.requests(on)).toHaveLength(1)
  expect(server.names('site')).toEqual(['a.0123abcd.part'])
  expect(clock.now() - startedMs).toBeLessThan(1_000)
})

test('is no failure when the connection is lost', async () => {
  const { clock, server, remote, stale } = await open()
  server.faults.push({ on: 'list', then: 'cut' })
  const startedMs = clock.now()
  stale.sweep(remote, 'site/a')
  await clock.until(stale.done())
  expect(server.living).toEqual([])
  expect(clock.now() - startedMs).toBeLessThan(1_000)
})

test('keeps nothing waiting when it has ended', async () => {
  const { clock, remote, stale } = await open()
  stale.sweep(remote, 'site/a')
  await clock.until(stale.done())
  const endedMs = clock.now()
  await clock.untilQuiet()
  expect(clock.now()).toBe(endedMs)
})

test('is not waited for longer than half a minute', async () => {
  const { clock, remote, stale } = await open()
  remote.list = () => new Promise(() => undefined)
  const startedMs = clock.now()
  stale.sweep(remote, 'site/a')
  await clock.until(stale.done())
  expect(clock.now() - startedMs).toBe(30_000)
})

test('leaves part files alone of which the server tells no time', async () => {
  const { clock, server, remote, stale } = await open()
  remote.list = () => Promise.resolve([{ name: 'a.0123abcd.part', mtime: undefined }])
  stale.sweep(remote, 'site/a')
  await clock.until(stale.done())
  expect(server.requests('remove')).toEqual([])
})
