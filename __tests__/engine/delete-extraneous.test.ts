import { beforeEach, describe, expect, test } from '@jest/globals'
import { getEventListeners } from 'node:events'
import { UploadError } from '../../src/core/errors.js'
import { standingIn } from '../../src/core/extraneous.js'
import type { Deletion } from '../../src/core/report.js'
import { deleteExtraneous, type DeletionTask, previewDeletion } from '../../src/engine/delete-extraneous.js'
import { bytesOf } from '../support/memory-bytes.js'
import { cancelled, MemoryWorld } from '../support/memory-world.js'

const LEFT_OUT = ['uploads']

let world: MemoryWorld

/** Two files were uploaded; five files, a link and two directories are no part of that. */
beforeEach(() => {
  world = new MemoryWorld()
  world.put('index.html', bytesOf(1, 100))
  world.put('docs/guide.html', bytesOf(2, 100))
  for (const path of [
    'site/index.html',
    'site/docs/guide.html',
    'site/docs/old.html',
    'site/old.html',
    'site/old/deep/a.html',
    'site/old/b.html',
    'site/uploads/photo.jpg',
    'site/app.zip.0123abcd.part',
    'other/precious.txt'
  ]) {
    world.server.put(path, bytesOf(3, 10))
  }
  world.server.links.set('site/shared', 'other')
})

const EXTRANEOUS = [
  'site/docs/old.html',
  'site/old.html',
  'site/old/b.html',
  'site/old/deep/a.html',
  'site/shared',
  'site/old/deep/',
  'site/old/'
]

function task(changes: Partial<DeletionTask> = {}): DeletionTask {
  const standingOf = standingIn(world.plan(), 'site', place => LEFT_OUT.includes(place.join('/')))
  const signal = new AbortController().signal
  world.events = []
  return { root: 'site', standingOf, limit: 100, retries: 2, world: world.world(), signal, ...changes }
}

function run(changes?: Partial<DeletionTask>): Promise<Deletion> {
  return world.clock.until(deleteExtraneous(task(changes)))
}

function paths(): string[] {
  return [...world.server.files.keys(), ...world.server.links.keys()].sort()
}

const told = () => world.events.flatMap(event => (event.type === 'notice' ? [event.text] : []))
const changing = () => [...world.server.requests('remove'), ...world.server.requests('removeDirectory')]

describe('what is no part of the upload', () => {
  test('is removed, with directories in which nothing is left; each is told', async () => {
    const { removed, planned, error } = await run()
    expect([[...removed].sort(), planned, error]).toEqual([[...EXTRANEOUS].sort(), [], undefined])
    expect(told()).toEqual(removed.map(name => `Removed ${name}`))
    expect(paths()).toEqual([
      'other/precious.txt',
      'site/app.zip.0123abcd.part',
      'site/docs/guide.html',
      'site/index.html',
      'site/uploads/photo.jpg'
    ])
    expect(world.server.names('site')).not.toContain('old')
    expect(world.server.living).toEqual([])
  })

  test('is not there any more the next time', async () => {
    await run()
    expect(await run()).toEqual({ removed: [], planned: [], error: undefined })
  })

  test('is not looked for behind a symbolic link, in what is left out, and outside', async () => {
    await run()
    const listed = world.server.requests('list').map(({ path }) => path)
    expect(listed.sort()).toEqual(['site', 'site/docs', 'site/old', 'site/old/deep'])
    expect(world.server.requests('kindOf').map(({ path }) => path)).not.toContain('site/uploads')
  })

  test('is not looked for behind a link in place of a directory of the upload', async () => {
    world.server.files.delete('site/docs/guide.html')
    world.server.files.delete('site/docs/old.html')
    world.server.directories.delete('site/docs')
    world.server.links.set('site/docs', 'other')
    const { removed } = await run()
    expect(removed).not.toContain('site/docs')
    expect(paths()).toContain('other/precious.txt')
  })
})

describe('nothing at all is removed', () => {
  test.each([['site'], ['site/docs'], ['site/old/deep']])('when %s cannot be listed', async path => {
    world.server.faults.push({
      on: 'list',
      path: new RegExp(`^${path}$`),
      then: 'permission',
      times: Infinity
    })
    const before = paths()
    expect(await run()).toMatchObject({ removed: [], error: { code: 'permission' } })
    expect([paths(), changing()]).toEqual([before, []])
  })

  test('when the server does not say what something is', async () => {
    world.server.faults.push({ on: 'kindOf', path: /deep$/, then: 'server-failure', times: Infinity })
    expect(await run()).toMatchObject({ removed: [], error: { code: 'server-failure' } })
    expect(changing()).toEqual([])
  })

  test.each(['../index.html', '..', '.', ''])('when the server lists %j, which is no name', async name => {
    const list = world.server.list.bind(world.server)
    world.server.list = path => [...list(path), ...(path === 'site/docs' ? [{ name, mtime: 0 }] : [])]
    const message = `list site/docs: found ${JSON.stringify(name)}, which is no name`
    expect(await run()).toMatchObject({ removed: [], error: { code: 'protocol', message } })
    expect(changing()).toEqual([])
  })

  test('when it would be more than the limit', async () => {
    const { removed, error } = await run({ limit: EXTRANEOUS.length - 1 })
    expect(removed).toEqual([])
    expect(error).toMatchObject({ code: 'invalid-input' })
    expect(error?.message).toMatch(/^delete-limit: must be at least the 7 files and directories .*found 6 /)
    expect(changing()).toEqual([])
    expect((await run({ limit: EXTRANEOUS.length })).removed).toHaveLength(EXTRANEOUS.length)
  })

  test('is said so with what it would be, as far as that is short', async () => {
    expect((await run({ limit: 6 })).error?.message).toBe(
      'delete-limit: must be at least the 7 files and directories below site that are no part of the upload; found 6 ' +
        '(site/docs/old.html, site/old.html, site/old/b.html, site/old/deep/a.html, site/shared, …). dry-run lists them all.'
    )
    for (const path of ['site/old/deep/a.html', 'site/old/b.html']) world.server.files.delete(path)
    for (const path of ['site/old/deep', 'site/old']) world.server.directories.delete(path)
    world.server.put('site/x', bytesOf(1, 1))
    world.server.put('site/y', bytesOf(1, 1))
    expect((await run({ limit: 4 })).error?.message).toMatch(
      / the 5 .* are .*found 4 \(.*, site\/x, site\/y\)\./
    )
    for (const name of ['x', 'y', 'old.html', 'docs/old.html']) world.server.files.delete(`site/${name}`)
    expect((await run({ limit: 0 })).error?.message).toBe(
      'delete-limit: must be at least the 1 file or directory below site that is no part of the upload; found 0 ' +
        '(site/shared). dry-run lists them all.'
    )
  })

  test('when the run was told to stop', async () => {
    const signal = AbortSignal.abort(cancelled())
    expect(await run({ signal })).toMatchObject({ removed: [], error: { code: 'cancelled' } })
    expect(world.server.log).toEqual([])
  })
})

describe('trouble on the way', () => {
  test('a file that the server keeps does not stop the others, and fails in the end', async () => {
    world.server.faults.push({ on: 'remove', path: /old\/b\.html$/, then: 'permission', times: Infinity })
    const { removed, error } = await run()
    expect([...removed].sort()).toEqual(
      EXTRANEOUS.filter(name => name !== 'site/old/b.html' && name !== 'site/old/').sort()
    )
    expect(error).toMatchObject({ code: 'permission' })
    expect(error?.message).toContain('2 of 7 files and directories to delete are still there')
    expect(error?.cause).toMatchObject({ code: 'permission' })
    expect(paths()).toContain('site/old/b.html')
  })

  test('a single file that the server keeps is told as one', async () => {
    world.server.faults.push({ on: 'remove', path: /site\/old\.html$/, then: 'permission', times: Infinity })
    expect((await run()).error?.message).toMatch(/; 1 of 7 files and directories to delete is still there$/)
    expect((await run()).error?.message).toMatch(/; 1 of 1 file or directory to delete is still there$/)
  })

  test('a file that somebody else removes meanwhile is none', async () => {
    world.server.onRequest = ({ operation, path }) => {
      if (operation === 'kindOf' && path === 'site/old.html') world.server.files.delete(path)
    }
    const { removed, error } = await run()
    expect([removed.includes('site/old.html'), error]).toEqual([false, undefined])
  })

  test.each(['list', 'removeDirectory'] as const)(
    'a directory that somebody else removes before its %s is none',
    async before => {
      world.server.onRequest = ({ operation, path }) => {
        if (operation !== before || path !== 'site/old/deep') return
        for (const name of [...world.server.files.keys()]) {
          if (name.startsWith(`${path}/`)) world.server.files.delete(name)
        }
        world.server.directories.delete(path)
      }
      expect((await run()).error).toBeUndefined()
      expect(world.server.names('site')).not.toContain('old')
    }
  )

  test('a file that somebody puts there meanwhile keeps its directory', async () => {
    world.server.onRequest = ({ operation }) => {
      if (operation === 'removeDirectory') world.server.put('site/old/deep/new.html', bytesOf(4, 10))
    }
    expect(await run()).toMatchObject({ error: { code: 'server-failure' } })
    expect(paths()).toContain('site/old/deep/new.html')
  })

  test('a lost connection is made again, and the rest is removed', async () => {
    world.server.faults.push({ on: 'remove', after: 2, then: 'cut' })
    const { error } = await run()
    expect(error).toBeUndefined()
    expect(paths()).toHaveLength(5)
    expect(world.server.sessions).toHaveLength(2)
  })

  test('a lost connection is made again when a file was refused before, too', async () => {
    world.server.faults.push({ on: 'remove', path: /old\.html$/, then: 'permission', times: Infinity })
    world.server.faults.push({ on: 'removeDirectory', then: 'cut' })
    expect(await run()).toMatchObject({ error: { code: 'permission' } })
    expect(world.server.names('site')).not.toContain('old')
  })

  test('what was removed before a lost connection counts towards the limit', async () => {
    world.server.faults.push({ on: 'removeDirectory', then: 'cut' })
    world.server.onRequest = ({ operation, session }) => {
      if (session !== 2 || operation !== 'list') return
      for (let index = 0; index < 4; index++) world.server.put(`site/more-${index}`, bytesOf(4, 10))
    }
    const { removed, error } = await run({ limit: 8 })
    expect([removed.length, error?.code]).toEqual([5, 'invalid-input'])
    expect(error?.message).toMatch(/ at least the 11 /)
    expect(paths()).toContain('site/more-0')
  })

  test('connections may be lost again and again while something is removed', async () => {
    world.server.faults.push(
      { on: 'removeDirectory', session: 1, then: 'cut' },
      { on: 'removeDirectory', session: 2, after: 1, then: 'cut' }
    )
    const { signal } = new AbortController()
    expect((await run({ retries: 1, signal })).error).toBeUndefined()
    expect(world.server.sessions).toHaveLength(3)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('when connections are lost again and again, it says so', async () => {
    world.server.faults.push({ on: 'list', then: 'cut', times: Infinity })
    expect(await run({ retries: 1 })).toMatchObject({ removed: [], error: { code: 'connection-lost' } })
    expect(world.server.sessions).toHaveLength(2)
  })

  test('told to stop, it ends its session at once', async () => {
    const stop = new AbortController()
    world.server.onRequest = ({ operation }) => {
      if (operation === 'removeDirectory') stop.abort(cancelled())
    }
    const { removed, error } = await run({ signal: stop.signal })
    expect(error).toBeInstanceOf(UploadError)
    expect(error?.code).toBe('cancelled')
    expect(removed).toHaveLength(5)
    expect(world.server.living).toEqual([])
  })
})

describe('a preview', () => {
  function preview(changes?: Partial<DeletionTask>): Promise<Deletion> {
    return world.clock.until(previewDeletion(task(changes)))
  }

  test('tells what would be removed, and removes nothing', async () => {
    const before = paths()
    const { removed, planned, error } = await preview()
    expect([removed, planned, error]).toEqual([[], EXTRANEOUS, undefined])
    expect(told()).toEqual(EXTRANEOUS.map(name => `Would remove ${name}`))
    expect([paths(), changing()]).toEqual([before, []])
  })

  test('tells all of it when it is more than the limit, and that it is', async () => {
    const { planned, error } = await preview({ limit: 3 })
    expect(planned).toEqual(EXTRANEOUS)
    expect(told()).toHaveLength(EXTRANEOUS.length)
    expect(error?.code).toBe('invalid-input')
  })

  test('finds nothing where nothing was uploaded yet', async () => {
    expect(await preview({ root: 'new' })).toEqual({ removed: [], planned: [], error: undefined })
  })
})
