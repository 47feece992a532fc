import { describe, expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { Ledger } from '../../src/core/ledger.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { checkSpace } from '../../src/engine/check-space.js'
import type { PublishMode } from '../../src/engine/context.js'
import { newProgress, type FileProgress } from '../../src/engine/file-progress.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { type Fault, MemoryServer } from '../support/memory-server.js'
import { count, decisionsOf, MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024

/** Two files of 40 and 45 MiB: 21 MiB more than the check may be wrong by. */
function worldWith(freeBytes: number | undefined): MemoryWorld {
  const world = new MemoryWorld({ freeBytes })
  world.put('a', bytesOf(1, 40 * MIB))
  world.put('b', bytesOf(2, 45 * MIB))
  return world
}

describe('less free space than what remains to be sent', () => {
  test('ends the upload soon, once, and says both numbers', async () => {
    const world = worldWith(5 * MIB)
    const outcome = await world.run()
    for (const { error } of outcome.report.results) {
      expect(error?.code).toBe('no-space')
      // Some of it has arrived when the answer is there.
      expect(error?.message).toMatch(
        /^upload to site: [78]\d MiB remain to be sent; the server has 5\.0 MiB free$/
      )
    }
    expect(count(outcome, 'retrying')).toBe(0)
    expect(world.server.writtenBytes()).toBeLessThan(20 * MIB)
  })

  test('keeps what was sent for a later run', async () => {
    const world = worldWith(undefined)
    await world.interrupt(10 * MIB)
    const kept = world.record('a')?.ledger.acknowledgedBytes()
    world.server.traits.freeBytes = 1
    const short = await world.run({ writer: { attempt: 2 } })
    expect(resultOf(short, 'a')).toMatchObject({ error: { code: 'no-space' }, continuesWith: kept })
    world.server.traits.freeBytes = 200 * MIB
    const outcome = await world.run({ writer: { attempt: 3 } })
    expect(resultOf(outcome, 'a')).toMatchObject({ status: 'uploaded', reusedBytes: kept })
  })

  test('is none where a part file was given up meanwhile, and has left its room', async () => {
    const world = worldWith(undefined)
    await world.interrupt(39 * MIB, { names: ['a'] })
    world.put('a', bytesOf(4, 40 * MIB))
    const { server } = world
    server.traits.freeBytes = 10 * MIB
    server.onRequest = ({ operation }) => {
      if (operation === 'remove') server.traits.freeBytes = (10 + 39) * MIB
    }
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(decisionsOf(outcome)).toContain('start')
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })

  test('is found in the nearest directory that is there', async () => {
    const world = worldWith(5 * MIB)
    world.put('d/e/f', bytesOf(3, 10))
    const outcome = await world.run({ names: ['a', 'b', 'd/e/f'] })
    expect(resultOf(outcome, 'a').error?.code).toBe('no-space')
    expect(world.server.requests('freeBytes').map(({ path }) => path)).toEqual(
      // Then each directory of a file, to see whether it is one file system.
      ['site', '', 'site', 'site/d/e', 'site/d']
    )
  })

  test.each(['each', 'together'] as const)(
    'does not count what replaced files free, if they do so in time (%s)',
    async publish => {
      const world = worldWith(20 * MIB)
      world.putOld('a', bytesOf(3, 10 * MIB))
      const outcome = await world.run({ publish })
      const failure = publish === 'each' ? undefined : 'no-space'
      expect(outcome.report.results.map(({ error }) => error?.code)).toEqual([failure, failure])
    }
  )

  test('does not count what is on the server already', async () => {
    const world = worldWith(undefined)
    await world.interrupt(30 * MIB)
    world.server.traits.freeBytes = 20 * MIB
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })
})

describe('no question', () => {
  test('is asked for a small upload', async () => {
    const world = new MemoryWorld({ freeBytes: 10 })
    world.put('a', bytesOf(1, 40 * MIB))
    expect(resultOf(await world.run(), 'a').status).toBe('uploaded')
    expect(world.server.requests('freeBytes')).toEqual([])
  })

  test('is waited for: bytes are on their way before the answer', async () => {
    const world = new MemoryWorld({ freeBytes: 20 * MIB })
    // Refused, and asked for each directory above: that takes a while.
    const directory = 'a/b/c/d/e/f/g/h/i/j'
    world.server.put(`site/${directory}/older`, bytesOf(1, 10))
    world.server.faults.push({ on: 'freeBytes', times: Infinity, then: 'unsupported' })
    for (const name of ['x', 'y']) world.put(`${directory}/${name}`, bytesOf(name.charCodeAt(0), 42 * MIB))
    const times: Record<string, number> = {}
    world.server.onRequest = ({ operation }) => {
      times[operation] ??= world.clock.now()
    }
    const outcome = await world.run()
    expect(times.freeBytes).toBe(times.stat)
    const asked = world.server.log.map(({ operation }) => operation)
    expect(asked.indexOf('write')).toBeGreaterThan(0)
    expect(asked.indexOf('write')).toBeLessThan(asked.lastIndexOf('freeBytes'))
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })
})

test('a line that is cut at the question is no trouble', async () => {
  const world = worldWith(200 * MIB)
  world.server.faults.push({ on: 'freeBytes', then: 'cut' })
  const outcome = await world.run()
  expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
})

describe('the question', () => {
  function progressOf(remote: string, size: number, record?: Partial<UploadRecord>): FileProgress {
    const progress = newProgress({ local: 'a', remote, size })
    const identity = { size, mtimeMs: 1, tail: undefined }
    if (record !== undefined)
      progress.record = { partId: '0123abcd', identity, ledger: new Ledger(size), ...record }
    return progress
  }

  /** What it ends with: the message of the failure, or nothing; and the directories that were asked for. */
  async function ask(
    pending: readonly FileProgress[],
    {
      freeBytes,
      older = {},
      publish = 'each',
      fault,
      ...traits
    }: {
      readonly freeBytes: number | undefined
      readonly older?: Record<string, number>
      readonly publish?: PublishMode
      readonly fault?: Fault
      readonly canCopy?: boolean
      readonly freeBytesBelow?: Record<string, number>
    }
  ) {
    const clock = new MemoryClock()
    const server = new MemoryServer(clock, { freeBytes, ...traits })
    for (const name of ['site', 'site/x', 'site/y', '/srv', '/srv/www']) server.directories.add(name)
    for (const [path, size] of Object.entries(older)) server.put(path, Buffer.alloc(size))
    if (fault !== undefined) server.faults.push(fault)
    const remote = await clock.until(server.connect(new AbortController().signal))
    const failure = await clock.until(
      checkSpace(pending, remote, publish).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof UploadError) return error.message
          throw error
        }
      )
    )
    return { failure, asked: server.requests('freeBytes').map(({ path }) => path), server }
  }

  const shortOf = (directory: string) =>
    `upload to ${directory}: 200 MiB remain to be sent; the server has 1.0 MiB free`

  test.each([
    [['site/a', 'site/b'], 'site'],
    [['site/x/a'], 'site/x'],
    [['site/x/a', 'site/y/b', 'site/c'], 'site'],
    [['site/a', 'site2/b'], '.'],
    [['a', 'site/b'], '.'],
    [['a'], '.'],
    [['/srv/www/a', '/srv/b'], '/srv'],
    [['/srv/a', '/b'], '/'],
    [['/a'], '/']
  ])('for %j is asked for %s', async (paths, directory) => {
    const pending = paths.map(path => progressOf(path, (200 * MIB) / paths.length))
    expect((await ask(pending, { freeBytes: MIB })).failure).toBe(shortOf(directory))
  })

  test.each([
    ['site/x/a', ['site/x', 'site', '']],
    ['/srv/www/a', ['/srv/www', '/srv', '/']]
  ])('about %s that is refused is asked of the directories above, and no more', async (path, asked) => {
    const fault = { on: 'freeBytes', then: 'permission', times: 9 } as const
    const outcome = await ask([progressOf(path, 200 * MIB)], { freeBytes: MIB, fault })
    expect(outcome).toMatchObject({ asked, failure: `freeBytes ${asked.at(-1)}: refused` })
  })

  test('that a lost connection answers is not asked again', async () => {
    const fault = { on: 'freeBytes', then: 'connection-lost' } as const
    const { asked } = await ask([progressOf('site/x/a', 200 * MIB)], { freeBytes: MIB, fault })
    expect(asked).toEqual(['site/x'])
  })

  test.each([
    { size: 64 * MIB, freeBytes: 0, asked: 0, fails: false },
    { size: 64 * MIB + 1, freeBytes: 0, asked: 1, fails: true },
    { size: 100 * MIB, freeBytes: 36 * MIB, asked: 1, fails: false },
    { size: 100 * MIB, freeBytes: 36 * MIB - 1, asked: 1, fails: true },
    { size: 100 * MIB, freeBytes: undefined, asked: 0, fails: false }
  ])('leaves 64 MiB to chance: $size bytes, $freeBytes free', async ({ size, freeBytes, asked, fails }) => {
    const outcome = await ask([progressOf('site/a', size)], { freeBytes })
    expect(outcome.asked).toHaveLength(asked)
    expect(outcome.failure !== undefined).toBe(fails)
  })

  test('counts what is not there yet of files that are not in place', async () => {
    const sent = new Ledger(100 * MIB)
    for (let index = 0; index < 40; index++) sent.acknowledge(index, 'digest')
    const published = { size: 500 * MIB, mtime: 1 }
    const pending = [
      progressOf('site/a', 100 * MIB),
      progressOf('site/b', 100 * MIB, { ledger: sent }),
      // Published by another version of the file, and by this one.
      progressOf('site/c', 40 * MIB, { published, identity: { size: 500 * MIB, mtimeMs: 1 } }),
      progressOf('site/d', 500 * MIB, { published })
    ]
    const { failure, server } = await ask(pending, {
      freeBytes: MIB,
      older: { 'site/a': 10, 'site/d': 5 * MIB }
    })
    expect(failure).toBe(
      'upload to site: 200 MiB remain to be sent, 10 B of it in place of what is there; the server has 1.0 MiB free'
    )
    expect(server.requests('stat').map(({ path }) => path)).not.toContain('site/d')
  })

  test.each([
    { volumes: { 'site/x': 900 * MIB, 'site/y': 900 * MIB }, fails: false },
    { volumes: { 'site/y': 66 * MIB }, fails: false },
    { volumes: { 'site/y': 65 * MIB }, fails: true }
  ])(
    'says nothing below several file systems, which differ in what is free ($volumes)',
    async ({ volumes, fails }) => {
      const pending = ['site/x/a', 'site/y/b', 'site/y/c'].map(path => progressOf(path, 100 * MIB))
      const { failure, asked } = await ask(pending, { freeBytes: MIB, freeBytesBelow: volumes })
      expect(failure !== undefined).toBe(fails)
      expect(asked).toEqual(['site', 'site', 'site/x', 'site/y'])
    }
  )

  test.each([
    { part: 99, canCopy: false, rebuilt: true, publish: 'each', fails: false },
    { part: 99, canCopy: false, rebuilt: true, publish: 'together', fails: false },
    { part: 98, canCopy: false, rebuilt: true, publish: 'each', fails: true },
    { part: 99, canCopy: true, rebuilt: true, publish: 'each', fails: true },
    { part: 99, canCopy: true, rebuilt: false, publish: 'each', fails: false }
  ] as const)(
    'counts on what is written over of a part file ($part MiB, rebuilt: $rebuilt, copies: $canCopy, $publish)',
    async given => {
      const { part, canCopy, rebuilt, publish, fails } = given
      const pending = [progressOf('site/a', 200 * MIB, { rebuilt })]
      const free = 200 - 64 - 99
      const older = { 'site/a.0123abcd.part': part * MIB }
      const { failure } = await ask(pending, { freeBytes: free * MIB, older, publish, canCopy })
      expect(failure !== undefined).toBe(fails)
    }
  )

  test('counts on what goes when a file has another size than before', async () => {
    const sent = new Ledger(90 * MIB)
    for (let index = 0; index < 90; index++) sent.acknowledge(index, 'digest')
    const was = (size: number) => ({ size, mtimeMs: 1, tail: undefined })
    const published = { size: 90 * MIB, mtime: 1 }
    const begun = progressOf('site/a', 200 * MIB, { identity: was(90 * MIB), ledger: sent, rebuilt: true })
    const replaced = progressOf('site/b', 200 * MIB, { identity: was(90 * MIB), published })
    const older = { 'site/a.0123abcd.part': 90 * MIB, 'site/b': 90 * MIB }
    const free = (200 - 64 - 90) * MIB
    for (const each of [begun, replaced]) {
      expect((await ask([each], { freeBytes: free, older, canCopy: true })).failure).toBeUndefined()
      expect((await ask([each], { freeBytes: free - 1, older, canCopy: true })).failure).toBeDefined()
    }
  })

  test.each([
    ['each', 35, undefined],
    [
      'each',
      34,
      'upload to site: 100 MiB remain to be sent, 1.0 MiB of it in place of what is there; the server has 34 MiB free'
    ],
    ['together', 35, 'upload to site: 100 MiB remain to be sent; the server has 35 MiB free']
  ] as const)('counts on the old files that go (%s, %i MiB free)', async (publish, free, failure) => {
    const pending = [progressOf('site/a', 100 * MIB)]
    const given = { publish, freeBytes: free * MIB, older: { 'site/a': MIB } }
    expect((await ask(pending, given)).failure).toBe(failure)
  })
})
