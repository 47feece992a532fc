import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { JobStore, type JobStoreSettings } from '../../../src/adapters/state/job-store.js'
import { isCopied, readMeta } from '../../../src/adapters/state/state-directory.js'
import { UploadError } from '../../../src/core/errors.js'
import { MemoryKeeper } from '../../support/memory-keeper.js'

const never = new AbortController().signal
const absent = new UploadError('unsupported', 'there is no cache here')
const troubled = new Error('the cache cannot be used (403)')
const refused = new Error('the server does not take it (permission denied)')
const cut = new UploadError('connection-lost', 'connection to the server: cut')

describe("the job's state", () => {
  let directory: string
  let cache: MemoryKeeper
  let server: MemoryKeeper
  let notices: string[]
  let warnings: string[]

  function open(changes: Partial<JobStoreSettings> = {}): JobStore {
    return new JobStore({
      directory,
      keepers: [cache, server],
      lastSaveLimits: () => ({ eachMs: 5_000, allMs: 10_000 }),
      isTroubled: false,
      onNotice: text => notices.push(text),
      onTrouble: text => warnings.push(text),
      ...changes
    })
  }

  const told = () => [notices.length, warnings.length]

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'job-store-')), 'state')
    cache = new MemoryKeeper('in the cache')
    server = new MemoryKeeper('on the server')
    notices = []
    warnings = []
  })
  afterEach(() => rm(join(directory, '..'), { recursive: true }))

  describe('is loaded', () => {
    test('from both keepers, without a word', async () => {
      expect(await open().load(never)).toEqual([])
      cache.text = 'a'
      server.text = 'b'
      expect(await open().load(never)).toEqual(['a', 'b'])
      expect(told()).toEqual([0, 0])
    })

    test('from what an earlier step of the job left, before all', async () => {
      cache.text = 'a'
      await open().save('of this job')
      cache.text = 'b'
      expect(await open().load(never)).toEqual(['of this job'])
    })

    test('from the server where there is no cache, which is one notice', async () => {
      cache.failure = absent
      server.text = 'b'
      const store = open()
      expect(await store.load(never)).toEqual(['b'])
      await store.save('c')
      await store.save('d')
      expect(notices).toEqual(['There is no cache here: the state of this upload is kept on the server.'])
      expect(server.text).toBe('d')
      expect(cache.limits).toEqual([])
      expect(told()).toEqual([1, 0])
    })

    test('from the server when the cache gives trouble, which is one warning', async () => {
      cache.failure = troubled
      server.text = 'b'
      const store = open()
      expect(await store.load(never)).toEqual(['b'])
      await store.save('c')
      expect(told()).toEqual([0, 1])
      expect(store.isKept).toBe(true)
    })

    test('from the cache when the server gives trouble, which matters to nobody', async () => {
      server.failure = refused
      cache.text = 'a'
      expect(await open().load(never)).toEqual(['a'])
      expect(told()).toEqual([0, 0])
    })

    test('without a word on where it is kept, while nothing is saved', async () => {
      cache.failure = absent
      expect(await open().load(never)).toEqual([])
      expect(told()).toEqual([0, 0])
    })

    test('as nothing when the first gives trouble and the other has none, which is one warning at once', async () => {
      cache.failure = troubled
      const store = open()
      expect(await store.load(never)).toEqual([])
      expect(warnings).toEqual([
        'What earlier attempts left cannot be read (the cache cannot be used (403)).'
      ])
      await store.save('a')
      expect([server.text, ...told()]).toEqual(['a', 0, 1])
    })

    test('as nothing when neither gives it, which is one warning', async () => {
      cache.failure = absent
      server.loadFailure = refused
      expect(await open().load(never)).toEqual([])
      expect(told()).toEqual([0, 1])
      expect(warnings[0]).toMatch(/no cache here.*permission denied/)
    })

    test.each([cut, new UploadError('login', 'refused')])(
      'not at all when there is no session: %s',
      async failure => {
        cache.text = 'a'
        server.loadFailure = failure
        await expect(open().load(never)).rejects.toBe(failure)
        expect(told()).toEqual([0, 0])
      }
    )

    test('as nothing when it was told to stop', async () => {
      const reason = new UploadError('cancelled', 'stop')
      cache.failure = troubled
      await expect(open().load(AbortSignal.abort(reason))).rejects.toBe(reason)
      expect(told()).toEqual([0, 0])
    })
  })

  describe('is saved', () => {
    test('in the job and with the first keeper only', async () => {
      const store = open()
      await store.save('a')
      expect([cache.text, server.text, await readMeta(directory)]).toEqual(['a', undefined, 'a'])
      expect([store.isKept, await isCopied(directory)]).toEqual([true, true])
      expect(told()).toEqual([0, 0])
    })

    test('with the first one that is asked for', async () => {
      await open({ keepers: [server, cache] }).save('a')
      expect([cache.text, server.text]).toEqual([undefined, 'a'])
    })

    test('with the server when the cache refuses, and from then on there', async () => {
      cache.saveFailure = troubled
      const store = open()
      await store.load(never)
      await store.save('a')
      await store.save('b')
      expect(server.text).toBe('b')
      expect(cache.limits).toHaveLength(1)
      expect(warnings).toEqual([
        'The cache cannot be used (403): the state of this upload is kept on the server.'
      ])
      expect([store.isKept, await isCopied(directory)]).toEqual([true, true])
    })

    test('with the cache again when the server refuses later', async () => {
      cache.saveFailure = troubled
      const store = open()
      await store.save('a')
      cache.saveFailure = undefined
      server.saveFailure = refused
      await store.save('b')
      expect(cache.text).toBe('b')
      expect(told()).toEqual([0, 1])
    })

    test('with the cache while the line to the server is cut, and then on the server again', async () => {
      const store = open({ keepers: [server, cache] })
      server.saveFailure = cut
      await store.save('a', never)
      expect(cache.text).toBe('a')
      server.saveFailure = undefined
      await store.save('b', never)
      expect(server.text).toBe('b')
      expect(told()).toEqual([1, 0])
    })

    test('nowhere but in the job when both refuse: one warning, whatever the number of saves', async () => {
      cache.failure = absent
      server.failure = refused
      const store = open()
      await store.save('a', never)
      await store.save('b', never)
      await store.save('c')
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(/not kept \(there is no cache here; .*permission denied/)
      expect([store.isKept, await isCopied(directory), await readMeta(directory)]).toEqual([
        false,
        false,
        'c'
      ])
    })

    test('without a warning while the line is cut, and with one when it stays so', async () => {
      cache.failure = absent
      server.saveFailure = cut
      const store = open()
      await store.load(never)
      await store.save('a', never)
      expect(told()).toEqual([0, 0])
      await store.save('b')
      expect(told()).toEqual([0, 1])
    })

    test('in silence when it is given up', async () => {
      const stop = new AbortController()
      cache.saveMs = 5_000
      const saving = open().save('a', stop.signal)
      setTimeout(() => stop.abort(), 20)
      await saving
      expect([server.text, ...told()]).toEqual([undefined, 0, 0])
    })

    test('for the last time within the limits of each keeper and of both', async () => {
      cache.saveMs = 60_000
      server.saveMs = 60_000
      // What is left for the second keeper has to be worth asking it, on a slow machine, too.
      await open({ lastSaveLimits: () => ({ eachMs: 600, allMs: 1_100 }) }).save('a')
      expect(cache.limits).toEqual([600])
      expect(server.limits).toHaveLength(1)
      expect(server.limits[0]).toBeLessThanOrEqual(501)
      expect(told()).toEqual([0, 1])

      await open({ lastSaveLimits: () => ({ eachMs: 300, allMs: 300 }) }).save('a')
      expect(server.limits).toHaveLength(1)
    })

    test('outside of the job even when the job has no room for it', async () => {
      await writeFile(directory, 'a file is in its place')
      const store = open()
      await store.save('a')
      expect([cache.text, store.isKept]).toEqual(['a', true])
      expect(told()).toEqual([0, 1])
    })

    test('without a second warning in the step after', async () => {
      cache.failure = troubled
      server.failure = refused
      const store = open({ isTroubled: true })
      await store.copy('a')
      expect([store.isKept, ...told()]).toEqual([false, 0, 0])
    })
  })
})
