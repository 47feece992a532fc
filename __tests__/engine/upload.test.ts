import { describe, expect, test } from '@jest/globals'
import { blockCount, blockRange } from '../../src/core/blocks.js'
import { UploadError } from '../../src/core/errors.js'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { parseUploadMeta } from '../../src/core/upload-meta.js'
import { openSealed, sealText } from '../../src/core/seal.js'
import { bytesOf, changed, sameBytes } from '../support/memory-bytes.js'
import {
  cancelled,
  count,
  decisionsOf,
  localOf,
  MemoryWorld,
  resultOf,
  type Outcome,
  warnings
} from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 9 * MIB + 5]

describe.each(VERIFY_MODES)('verify: %s', verify => {
  test.each(SIZES)('uploads a file of %i bytes', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    const outcome = await world.run({ verify, connections: 2 })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      sentBytes: size,
      reusedBytes: 0
    })
    expect(world.isInPlace('app.zip')).toBe(true)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each(SIZES)('replaces an older file by one of %i bytes, and then skips it', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.putOld('app.zip', bytesOf(2, 5000))
    expect(resultOf(await world.run({ verify }), 'app.zip').status).toBe('uploaded')
    const written = world.server.writtenBytes()
    const outcome = await world.run({ verify, writer: { attempt: 2 } })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'skipped', sentBytes: 0, reusedBytes: size })
    expect(world.server.writtenBytes()).toBe(written)
  })

  test.each(SIZES.filter(size => size > 2 * MIB))(
    'continues a file of %i bytes in another run',
    async size => {
      const world = new MemoryWorld()
      world.put('app.zip', bytesOf(1, size))
      world.putOld('app.zip', bytesOf(2, 5000))
      const failed = resultOf(await world.interrupt(size / 2, { verify }), 'app.zip')
      expect(failed).toMatchObject({ status: 'failed', error: { code: 'connection-lost' } })
      expect(failed.continuesWith).toBeGreaterThanOrEqual(MIB)
      expect(sameBytes(world.remoteBytes('app.zip'), bytesOf(2, 5000))).toBe(true)

      const outcome = await world.run({ verify, writer: { attempt: 2 } })
      const kept = failed.continuesWith ?? 0
      expect(decisionsOf(outcome)).toEqual(['continue'])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({
        status: 'uploaded',
        sentBytes: size - kept,
        reusedBytes: kept
      })
      expect(world.server.names('site')).toEqual(['app.zip'])
    }
  )

  test('continues within a run, over a new connection', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 5 * MIB))
    world.server.faults.push({ on: 'write', afterBytes: 3 * MIB, then: 'cut' })
    const outcome = await world.run({ verify })
    expect(decisionsOf(outcome)).toEqual(['start', 'continue'])
    expect(count(outcome, 'retrying')).toBe(1)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
  })

  test('works with a server that answers and writes in any order', async () => {
    const world = new MemoryWorld({
      jitterMs: 200,
      shufflesAnswers: true,
      overtaking: ['write', 'fstat', 'stat']
    })
    for (const [index, size] of SIZES.entries()) world.put(`file-${index}`, bytesOf(index, size))
    const outcome = await world.run({ verify, connections: 4 })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(SIZES.map(() => 'uploaded'))
  })
})

describe('many files', () => {
  test('go over several connections, each directory made once', async () => {
    const world = new MemoryWorld()
    for (let index = 0; index < 300; index++)
      world.put(`d${index % 3}/file-${index}`, bytesOf(index, 100 + index))
    const outcome = await world.run({ connections: 4 })
    expect(outcome.report.results.every(({ status }) => status === 'uploaded')).toBe(true)
    expect(world.server.sessions).toHaveLength(4)
    const tries = world.server.requests('makeDirectory').map(({ path }) => path)
    expect(tries.filter(path => path === 'site')).toHaveLength(1)
    for (const name of ['d0', 'd1', 'd2']) {
      expect(tries.filter(path => path === `site/${name}`).length).toBeLessThanOrEqual(2)
    }
  })

  test('open no more handles at once than the server allows', async () => {
    const world = new MemoryWorld({ maxOpenFiles: 4 })
    for (let index = 0; index < 100; index++) world.put(`file-${index}`, bytesOf(index, 100))
    const outcome = await world.run({ connections: 2 })
    expect(outcome.report.results.every(({ status }) => status === 'uploaded')).toBe(true)
    for (const session of world.server.sessions) expect(session.mostOpenFiles).toBeLessThanOrEqual(4)
  })

  test('that fail do not stop the others', async () => {
    const world = new MemoryWorld()
    for (const name of ['a', 'b', 'c']) world.put(name, bytesOf(name.charCodeAt(0), 100))
    world.put('large', bytesOf(9, 3 * MIB))
    world.server.faults.push({ on: 'create', path: /site\/b\./, then: 'permission', times: Infinity })
    const outcome = await world.run()
    expect(resultOf(outcome, 'b')).toMatchObject({ status: 'failed', error: { code: 'permission' } })
    for (const name of ['a', 'c', 'large']) expect(resultOf(outcome, name).status).toBe('uploaded')
    expect(world.server.sessions).toHaveLength(1)
    expect(count(outcome, 'retrying')).toBe(0)
  })

  test('are read some at a time: three large ones, and small ones beside them', async () => {
    const world = new MemoryWorld({ latencyMs: 50 })
    for (let index = 0; index < 6; index++) world.put(`large-${index}`, bytesOf(index, 2 * MIB))
    const most = { large: 0, all: 0 }
    world.server.onRequest = () => (most.large = Math.max(most.large, world.disk.open))
    await world.run()
    expect(most.large).toBe(3)
    world.server.onRequest = () => (most.all = Math.max(most.all, world.disk.open))
    for (let index = 0; index < 100; index++) world.put(`small-${index}`, bytesOf(index, 10))
    for (let index = 0; index < 6; index++) world.put(`large-${index}`, bytesOf(index + 9, 2 * MIB))
    await world.run({ writer: { attempt: 2 } })
    expect(most.all).toBe(103)
  })

  test('take as long as from what is known of them to the last result', async () => {
    const world = new MemoryWorld()
    world.put('a', bytesOf(1, 100))
    world.store.pause = () => new Promise(resolve => world.clock.after(5_000, resolve))
    const finishedMs: number[] = []
    world.onEvent = ({ type }) => {
      if (type === 'finished') finishedMs.push(world.clock.now())
    }
    const startedMs = world.clock.now()
    const { report } = await world.run()
    expect(finishedMs).toEqual([startedMs + report.elapsedMs])
  })

  test('have results in the order of the plan, and one event each', async () => {
    const world = new MemoryWorld({ jitterMs: 50 })
    for (let index = 0; index < 20; index++) world.put(`file-${index}`, bytesOf(index, 10))
    const outcome = await world.run()
    expect(outcome.report.results.map(({ file }) => file.local)).toEqual(
      world.plan().map(({ local }) => local)
    )
    expect(count(outcome, 'finished')).toBe(20)
  })
})

describe('the signal has few listeners, and none at the end', () => {
  /** Node warns of the eleventh. */
  const MOST = 10

  function countListeners(signal: AbortSignal) {
    const counts = { now: 0, most: 0 }
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      counts.most = Math.max(counts.most, ++counts.now)
      add(...given)
    }
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      counts.now--
      remove(...given)
    }
    return counts
  }

  test('whatever the number of files', async () => {
    const world = new MemoryWorld()
    for (let index = 0; index < 200; index++) world.put(`file-${index}`, bytesOf(index, 100))
    world.put('large', bytesOf(1, 30 * MIB))
    await world.interrupt(20 * MIB)
    for (let index = 0; index < 200; index++) {
      world.put(`file-${index}`, bytesOf(index, 100), world.clock.now() + 60_000)
    }
    const { signal } = new AbortController()
    const counts = countListeners(signal)
    await world.run({ signal, connections: 4, writer: { attempt: 2 } })
    expect(counts.most).toBeLessThanOrEqual(MOST)
    expect(counts.now).toBe(0)
  })

  test('whatever the number of attempts', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.server.faults.push({ on: 'write', times: Infinity, then: 'cut' })
    const { signal } = new AbortController()
    const counts = countListeners(signal)
    const outcome = await world.run({ signal, retries: 20 })
    expect(count(outcome, 'retrying')).toBe(20)
    expect(counts.most).toBeLessThanOrEqual(MOST)
    expect(counts.now).toBe(0)
  })
})

describe('a lost connection', () => {
  test('of several does not stop the file: its blocks go over another', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 20 * MIB))
    world.server.faults.push({ on: 'write', session: 2, afterBytes: 2.5 * MIB, then: 'cut' })
    const outcome = await world.run({ connections: 3 })
    expect(world.server.requests('write').filter(({ session }) => session === 2).length).toBeGreaterThan(0)
    expect(count(outcome, 'retrying')).toBe(0)
    expect(decisionsOf(outcome)).toEqual(['start'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  })

  test('of the first lane does not stop the file either', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 20 * MIB))
    world.server.faults.push({ on: 'write', session: 1, afterBytes: 5.5 * MIB, then: 'cut' })
    const outcome = await world.run({ connections: 3 })
    expect(count(outcome, 'retrying')).toBe(0)
    expect(decisionsOf(outcome)).toEqual(['start'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  })

  test('while a directory is made ends no other connection', async () => {
    // All lanes are there before the directories are.
    const world = new MemoryWorld({ latencyMs: 100 })
    for (let index = 0; index < 600; index++) world.put(`d/file-${index}`, bytesOf(index, 10))
    world.server.faults.push({ on: 'makeDirectory', path: /site\/d/, then: 'cut' })
    const outcome = await world.run({ connections: 3 })
    expect(outcome.report.results.every(({ status }) => status === 'uploaded')).toBe(true)
    expect(world.server.sessions).toHaveLength(3)
    expect(count(outcome, 'retrying')).toBe(0)
  })

  test('between the last check of small files and their renames leaves none of them out', async () => {
    const world = new MemoryWorld({ canReplace: false, latencyMs: 0, window: 1 })
    for (let index = 0; index < 70; index++) world.put(`file-${index}`, bytesOf(index, 10))
    world.server.faults.push({ on: 'rename', after: 1, then: 'connection-lost' })
    const outcome = await world.run({ verify: 'full' })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(Array(70).fill('uploaded'))
  })

  test('of all at once is told by the retry alone', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 40 * MIB))
    world.server.faults.push({ on: 'write', session: 2, afterBytes: 5.5 * MIB, then: 'cut-all' })
    const outcome = await world.run({ connections: 4 })
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect([count(outcome, 'retrying'), count(outcome, 'notice')]).toEqual([1, 0])
  })

  test('of two that others outlive is told in one line', async () => {
    const world = new MemoryWorld({ latencyMs: 500 })
    world.put('app.zip', bytesOf(1, 80 * MIB))
    world.server.faults.push({ on: 'write', session: 2, afterBytes: 2.5 * MIB, then: 'cut' })
    world.server.faults.push({ on: 'write', session: 3, afterBytes: 3.5 * MIB, then: 'cut' })
    const outcome = await world.run({ connections: 4 })
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(outcome.events.filter(({ type }) => type === 'notice')).toEqual([
      { type: 'notice', text: '2 connections ended (cut); 2 connections left.' }
    ])
  })

  test('without any progress is given up after the retries, with growing delays', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.server.faults.push({ on: 'write', times: Infinity, then: 'cut' })
    const outcome = await world.run({ retries: 3, intervalMs: 0 })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('connection-lost')
    expect(world.server.sessions).toHaveLength(4)
    expect(count(outcome, 'retrying')).toBe(3)
  })

  test('again and again is no failure while blocks arrive', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 12 * MIB))
    for (let cut = 1; cut < 10; cut++) {
      world.server.faults.push({ on: 'write', afterBytes: cut * 1.4 * MIB, then: 'cut' })
    }
    const outcome = await world.run({ retries: 1 })
    expect(count(outcome, 'retrying')).toBeGreaterThan(4)
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  })

  test('is given up where every attempt loses what the one before had sent', async () => {
    const world = new MemoryWorld({ removesUnfinished: true })
    world.put('app.zip', bytesOf(1, 4 * MIB))
    const stop = new AbortController()
    for (let session = 1; session <= 30; session++) {
      world.server.faults.push({ on: 'write', session, afterBytes: 2.5 * MIB, then: 'cut' })
    }
    world.server.onRequest = ({ session }) => {
      if (session === 30) stop.abort(cancelled())
    }
    const outcome = await world.run({ retries: 2, signal: stop.signal })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('connection-lost')
  })

  test('by silence is found out and retried', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.server.faults.push({ on: 'write', afterBytes: 2 * MIB, then: 'silence' })
    const outcome = await world.run()
    const causes = outcome.events.flatMap(event => (event.type === 'retrying' ? [event.error.code] : []))
    expect(causes).toEqual(['stalled'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  })

  test.each(['write', 'create', 'close', 'replace', 'stat'] as const)(
    'that the server reports in an answer, while the session lives (%s)',
    async on => {
      const world = new MemoryWorld()
      world.put('large', bytesOf(1, 4 * MIB))
      world.put('small', bytesOf(2, 500))
      world.server.faults.push({ on, after: 1, then: 'connection-lost' })
      const outcome = await world.run()
      expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
    }
  )

  test('that the server reports again and again is given up', async () => {
    for (const on of ['write', 'create', 'stat'] as const) {
      const world = new MemoryWorld()
      world.put('large', bytesOf(1, 4 * MIB))
      world.server.faults.push({ on, times: Infinity, then: 'connection-lost' })
      const outcome = await world.run({ retries: 2 })
      expect(resultOf(outcome, 'large').error?.code).toBe('connection-lost')
    }
  })

  test('that is known only after its requests failed', async () => {
    const world = new MemoryWorld({ endsLate: true })
    world.put('app.zip', bytesOf(1, 5 * MIB))
    world.put('small', bytesOf(2, 500))
    world.server.faults.push(
      { on: 'write', afterBytes: 2 * MIB, then: 'cut' },
      { on: 'replace', then: 'cut', takesEffect: true }
    )
    const outcome = await world.run()
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
  })
})

describe('connecting', () => {
  test('is not retried when the login is refused', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 10))
    world.server.faults.push({ on: 'connect', then: 'login', times: Infinity })
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'login' } })
    expect(world.server.requests('connect')).toHaveLength(1)
  })

  test('is retried when nothing answers', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 10))
    world.server.faults.push({ on: 'connect', then: 'unreachable', times: 2 })
    expect(resultOf(await world.run(), 'app.zip').status).toBe('uploaded')
  })

  test.each(['connection-lost', 'login'] as const)(
    'goes on with fewer lanes when a further one is refused (%s)',
    async then => {
      const world = new MemoryWorld()
      world.put('app.zip', bytesOf(1, 20 * MIB))
      world.server.faults.push({ on: 'connect', after: 1, times: Infinity, then })
      const outcome = await world.run({ connections: 3 })
      expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
      expect(count(outcome, 'notice')).toBe(1)
    }
  )

  test('does not go on after the end', async () => {
    const world = new MemoryWorld()
    for (let index = 0; index < 130; index++) world.put(`file-${index}`, bytesOf(index, 10))
    world.server.onRequest = ({ operation }) => {
      if (operation === 'connect') world.server.traits.connectMs = 20_000
    }
    await world.run({ connections: 3 })
    const connections = world.server.requests('connect').length
    await world.clock.untilQuiet()
    expect(world.server.requests('connect')).toHaveLength(connections)
    expect(world.server.living).toEqual([])
  })
})

describe('a full disk', () => {
  test('stops everything, once, and says so of every file', async () => {
    const world = new MemoryWorld({ capacity: 3.5 * MIB })
    world.put('a', bytesOf(1, 3 * MIB))
    world.put('b', bytesOf(2, 3 * MIB))
    world.put('c', bytesOf(3, 500))
    const outcome = await world.run()
    const failed = outcome.report.results.filter(({ status }) => status === 'failed')
    expect(failed.length).toBeGreaterThan(0)
    for (const { error } of failed) expect(error?.code).toBe('no-space')
    expect(count(outcome, 'retrying')).toBe(0)
    expect(world.server.sessions).toHaveLength(1)
  })

  test.each([1, 4])('takes back a short write that was acknowledged, with %i lanes', async connections => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = new MemoryWorld({
        seed,
        capacity: 21.6 * MIB,
        acksShortWrite: true,
        window: 2 * MIB,
        jitterMs: 300
      })
      world.put('app.zip', bytesOf(1, 32 * MIB))
      const outcome = await world.run({ connections })
      expect(resultOf(outcome, 'app.zip').error?.code).toBe('no-space')

      world.server.traits.capacity = Infinity
      expect(resultOf(await world.run({ connections, writer: { attempt: 2 } }), 'app.zip').status).toBe(
        'uploaded'
      )
    }
  })

  test('found only when the file is closed makes all that was acknowledged worth nothing', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.server.faults.push({ on: 'close', then: 'no-space' })
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('no-space')
    expect(world.record('app.zip')?.ledger.acknowledged()).toEqual([])
  })
})

describe('the end', () => {
  test('is the end: nothing happens and nothing is reported afterwards', async () => {
    const world = new MemoryWorld({ capacity: 3.5 * MIB })
    world.put('large', bytesOf(1, 5 * MIB))
    for (let index = 0; index < 5; index++) world.put(`small-${index}`, bytesOf(index, 500))
    world.disk.confirmMs = 3_000
    const { results } = await world.clock.until(world.start())
    const events = world.events.length
    world.disk.isUnreadable = () => true
    await world.clock.untilQuiet()
    expect(world.events).toHaveLength(events)
    expect(world.disk.open).toBe(0)
    expect(results).toHaveLength(6)
  })

  test('of a file reports each file once when another one fills the disk', async () => {
    const world = new MemoryWorld({ capacity: 2.5 * MIB })
    world.put('large', bytesOf(1, 5 * MIB))
    world.put('late', bytesOf(2, 500))
    world.disk.files.delete(localOf('late'))
    const plan = [...world.plan(), { local: localOf('late'), remote: 'site/late', size: 500 }]
    world.plan = () => plan
    const openSource = world.disk.openSource.bind(world.disk)
    Object.assign(world.disk, {
      openSource: async (file: (typeof plan)[number]) => {
        if (file.remote === 'site/late') await world.disk.wait(5_000)
        return openSource(file)
      }
    })
    await world.clock.until(world.start())
    await world.clock.untilQuiet()
    const finished = world.events.flatMap(event =>
      event.type === 'finished' ? [event.result.file.remote] : []
    )
    expect(finished.sort()).toEqual(['site/large', 'site/late'])
  })
})

describe('told to stop', () => {
  async function countRequests(): Promise<number> {
    const world = cancelWorld()
    await world.run({ connections: 2 })
    return world.server.log.length
  }

  function cancelWorld(): MemoryWorld {
    const world = new MemoryWorld({ jitterMs: 3 })
    world.put('large', bytesOf(1, 9 * MIB))
    world.put('small', bytesOf(2, 700_000))
    world.putOld('large', bytesOf(3, 5000))
    world.putOld('small', bytesOf(4, 5000))
    return world
  }

  test('at any moment: ends soon, keeps what was acknowledged, leaves the old files, and a later run continues', async () => {
    const requests = await countRequests()
    for (let at = 1; at <= requests; at += requests > 60 ? 3 : 1) {
      const world = cancelWorld()
      const stop = new AbortController()
      let stoppedMs = 0
      world.server.onRequest = (_request, number) => {
        if (number !== at) return
        stoppedMs = world.clock.now()
        stop.abort(cancelled())
      }
      const outcome = await world.run({ connections: 2, signal: stop.signal })
      expect(world.clock.now() - stoppedMs).toBeLessThanOrEqual(5_000)
      // A run that got nowhere leaves the state of the one before as it is.
      if (world.store.text !== undefined) expect(world.store.meta(world.keys).closed).toBe(true)
      for (const { status, error, file } of outcome.report.results) {
        if (status === 'uploaded') continue
        expect(error?.code).toBe('cancelled')
        const old = bytesOf(file.remote === 'site/large' ? 3 : 4, 5000)
        expect(sameBytes(world.server.bytesOf(file.remote), old)).toBe(true)
      }
      expectLedgerOfAllThatIsThere(world, 'large')
      await world.clock.untilQuiet()
      world.checkPromises()

      world.server.onRequest = () => undefined
      const next = await world.run({ connections: 2, writer: { run: '101' } })
      expect(next.report.results.every(({ status }) => status !== 'failed')).toBe(true)
      expect(world.server.names('site')).toEqual(['large', 'small'])
    }
  })

  /** A second was left for the answers: every whole block on the server is in the ledger. */
  function expectLedgerOfAllThatIsThere(world: MemoryWorld, name: string): void {
    const record = world.store.text === undefined ? undefined : world.record(name)
    if (record === undefined || record.published !== undefined) return
    const part = world.server.bytesOf(`site/${name}.${record.partId}.part`)
    const local = world.localBytes(name)
    for (let index = 0; part !== undefined && index < blockCount(local.length); index++) {
      const { offset, length } = blockRange(local.length, index)
      if (!sameBytes(part.subarray(offset, offset + length), local.subarray(offset, offset + length)))
        continue
      expect(record.ledger.digestOf(index)).toBeDefined()
    }
  }

  test('before it began: asks the server for nothing', async () => {
    const world = cancelWorld()
    const outcome = await world.run({ signal: AbortSignal.abort(cancelled()) })
    expect(outcome.report.results.map(({ error }) => error?.code)).toEqual(['cancelled', 'cancelled'])
    expect(world.server.log).toEqual([])
  })

  test('while it waits for the next attempt', async () => {
    const world = cancelWorld()
    const stop = new AbortController()
    world.server.faults.push({ on: 'connect', then: 'unreachable', times: Infinity })
    world.onEvent = ({ type }) => {
      if (type === 'retrying') world.clock.after(100, () => stop.abort(cancelled()))
    }
    const outcome = await world.run({ signal: stop.signal })
    expect(outcome.report.results.map(({ error }) => error?.code)).toEqual(['cancelled', 'cancelled'])
    expect(world.server.requests('connect')).toHaveLength(1)
  })

  test('while it connects', async () => {
    const world = cancelWorld()
    world.server.traits.connectMs = 20_000
    const stop = new AbortController()
    const startedMs = world.clock.now()
    world.clock.after(1_000, () => stop.abort(cancelled()))
    await world.run({ signal: stop.signal })
    expect(world.clock.now() - startedMs).toBeLessThan(5_000)
  })

  test('while it proves a large file against its ledger: within 5 s', async () => {
    const world = new MemoryWorld()
    world.put('large', bytesOf(1, 30 * MIB))
    await world.interrupt(29 * MIB)
    world.disk.digestMs = 4_000
    const stop = new AbortController()
    const startedMs = world.clock.now()
    world.clock.after(1_000, () => stop.abort(cancelled()))
    await world.run({ signal: stop.signal, writer: { attempt: 2 } })
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(6_000)
  })

  test('by a silent server, too', async () => {
    const world = cancelWorld()
    const stop = new AbortController()
    world.server.faults.push({ on: 'write', then: 'silence', times: Infinity })
    const startedMs = world.clock.now()
    world.clock.after(1_000, () => stop.abort(cancelled()))
    await world.run({ signal: stop.signal })
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(6_000)
  })
})

describe('the local file', () => {
  test.each([500, 3 * MIB])(
    'of %i bytes that changes while it is sent fails, and is sent right by the next run',
    async size => {
      const world = new MemoryWorld()
      world.put('app.zip', bytesOf(1, size))
      world.disk.onSlice = (local, offset) => {
        if (offset === 0) world.disk.write(local, bytesOf(2, size), world.clock.now() + 5_000)
      }
      const outcome = await world.run()
      expect(resultOf(outcome, 'app.zip')).toMatchObject({
        status: 'failed',
        error: { code: 'source-changed' }
      })
      expect(world.remoteBytes('app.zip')).toBeUndefined()
      expect(count(outcome, 'retrying')).toBe(0)
      world.disk.onSlice = () => undefined
      expect(resultOf(await world.run({ writer: { attempt: 2 } }), 'app.zip').status).toBe('uploaded')
    }
  )

  test.each([500, 3 * MIB])('of %i bytes that is replaced by another while it is sent fails', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.disk.onSlice = local =>
      world.disk.put(local, bytesOf(2, size), { mtimeMs: world.clock.now() + 5_000 })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('source-changed')
    expect(world.remoteBytes('app.zip')).toBeUndefined()
  })

  test.each([500, 3 * MIB])('of %i bytes that shrinks while it is sent fails', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.disk.onSlice = local => world.disk.write(local, bytesOf(1, 10))
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('source-changed')
  })

  test.each([500, 3 * MIB])('of %i bytes that cannot be read fails alone', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.put('other', bytesOf(2, size))
    const begun = size > MIB ? 'write' : 'create'
    world.disk.isUnreadable = local =>
      local.endsWith('app.zip') && world.server.requests(begun).some(({ path }) => path.includes('app.zip'))
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('source-unreadable')
    expect(resultOf(outcome, 'other').status).toBe('uploaded')
  })

  test('that changes between two attempts of a run is proven anew', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 5 * MIB))
    world.server.faults.push({ on: 'write', afterBytes: 3.5 * MIB, then: 'cut' })
    world.onEvent = ({ type }) => {
      if (type !== 'retrying') return
      const rebuilt = changed(bytesOf(1, 5 * MIB), { offset: MIB, length: 10 }, 1)
      world.disk.write(localOf('app.zip'), rebuilt, world.clock.now() + 1_000)
    }
    const outcome = await world.run()
    expect(decisionsOf(outcome)).toEqual(['start', 'continue'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  })
})

describe('attributes', () => {
  test('mode and mtime are those of the local file', async () => {
    const world = new MemoryWorld()
    for (const [name, size] of [
      ['small', 500],
      ['large', 3 * MIB]
    ] as const) {
      world.disk.put(localOf(name), bytesOf(size, size), { mode: 0o755, mtimeMs: Date.UTC(2020, 1, 1) + 500 })
    }
    await world.run({ preserveMtime: true })
    for (const name of ['small', 'large']) {
      expect(world.server.files.get(`site/${name}`)).toMatchObject({
        mode: 0o755,
        mtime: Date.UTC(2020, 1, 1) / 1000
      })
    }
    const again = await world.run({ preserveMtime: true, writer: { attempt: 2 } })
    expect(again.report.results.map(({ status }) => status)).toEqual(['skipped', 'skipped'])
  })

  test('that are refused are one warning, whatever the number of files', async () => {
    const world = new MemoryWorld()
    for (let index = 0; index < 50; index++) {
      world.put(`file-${index}`, bytesOf(index, 10), Date.UTC(2020, 1, 1))
    }
    world.server.faults.push({ on: 'setAttributes', times: Infinity, then: 'unsupported' })
    const outcome = await world.run({ preserveMtime: true })
    expect(outcome.report.results.every(({ status }) => status === 'uploaded')).toBe(true)
    expect(warnings(outcome)).toHaveLength(1)
  })

  test('that the server ignores are no trouble', async () => {
    const world = new MemoryWorld({ ignoresAttributes: true })
    world.put('app.zip', bytesOf(1, 10), Date.UTC(2020, 1, 1))
    expect(resultOf(await world.run({ preserveMtime: true }), 'app.zip').status).toBe('uploaded')
    expect(decisionsOf(await world.run({ preserveMtime: true, writer: { attempt: 2 } }))).toEqual(['skip'])
  })
})

describe('the state', () => {
  test('is saved while blocks arrive, and never claims what the server lacks', async () => {
    const world = new MemoryWorld({ latencyMs: 4_000 })
    world.put('app.zip', bytesOf(1, 6 * MIB))
    await world.run({ intervalMs: 15_000 })
    const claimed = world.store.saves.map(sealed => {
      const [record] = parseUploadMeta(openSealed(world.keys, sealed)).records.values()
      return record?.ledger.acknowledged().length ?? 0
    })
    expect(new Set(claimed).size).toBeGreaterThan(2)
    expect(claimed).toEqual([...claimed].sort((a, b) => a - b))
  })

  test('that another run may still be writing is not continued', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 4 * MIB))
    world.put('done', bytesOf(2, 10))
    await world.interrupt(3 * MIB, { writer: { run: '77' } })
    const open = world.store.saves.at(-1) ?? ''
    const payload = JSON.parse(openSealed(world.keys, open)) as { closed: boolean }
    expect(payload.closed).toBe(true)
    world.store.text = sealText(world.keys, JSON.stringify({ ...payload, closed: false }))
    const parts = world.server.partsOf('site/app.zip')
    expect(parts).toHaveLength(1)

    const outcome = await world.run({ writer: { run: '78' } })
    expect(decisionsOf(outcome).sort()).toEqual(['skip', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 4 * MIB })
    expect(world.server.partsOf('site/app.zip')).toEqual(parts)
  })

  test('is loaded again when the line was cut meanwhile', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 4 * MIB))
    await world.interrupt(3 * MIB)
    const failures = [new UploadError('connection-lost', 'cut'), new UploadError('stalled', 'silent')]
    world.store.loadFails = () => failures.pop()
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(count(outcome, 'retrying')).toBe(2)
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip').reusedBytes).toBeGreaterThan(0)
  })

  test('stays as it is in a run that cannot load it because it does not reach the server', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 4 * MIB))
    await world.interrupt(3 * MIB)
    const saves = world.store.saves.length
    world.server.faults.push({ on: 'connect', then: 'unreachable', times: Infinity })
    world.store.loadFails = () => new UploadError('unreachable', 'no answer')
    const outcome = await world.run({ retries: 1, writer: { attempt: 2 } })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('unreachable')
    expect(world.store.saves).toHaveLength(saves)
  })

  test('is saved for the last time while there is a session, and only once', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 4 * MIB))
    const sessions: number[] = []
    const { onSave } = world.store
    world.store.onSave = sealed => {
      onSave(sealed)
      sessions.push(world.server.living.length)
    }
    await world.run({ intervalMs: 0 })
    expect(sessions).toEqual([1])
    expect(world.store.meta(world.keys).closed).toBe(true)
  })

  test('that does not open is one warning and a full upload', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 4 * MIB))
    await world.interrupt(3 * MIB)
    world.store.text = world.store.text?.replace('targets', 'tarGets')
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(warnings(outcome)).toHaveLength(1)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 4 * MIB })
  })

  test('that lags behind the server costs only what it does not know', async () => {
    const world = new MemoryWorld({ latencyMs: 2_000 })
    world.put('app.zip', bytesOf(1, 8 * MIB))
    await world.interrupt(7 * MIB, { intervalMs: 5_000 })
    world.store.lose(2)
    const known = world.record('app.zip')?.ledger.acknowledgedBytes() ?? 0
    expect(known).toBeLessThan(7 * MIB)
    world.server.traits.latencyMs = 5
    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ sentBytes: 8 * MIB - known, reusedBytes: known })
  })

  test.each([false, true])(
    'from before a rebuild keeps no block that was written over since (and a run that failed early in between: %s)',
    async failsBetween => {
      const world = new MemoryWorld()
      const first = bytesOf(1, 24 * MIB)
      world.put('app.zip', first)
      // All but the last block arrive.
      await world.interrupt(23.5 * MIB)
      const before = world.store.text
      // Another commit changes one block in the middle and gets to the last block, too.
      const rebuilt = changed(first, { offset: 9 * MIB + 500_000, length: 10 }, 1)
      world.put('app.zip', rebuilt, world.clock.now() + 5_000)
      if (failsBetween) {
        world.server.faults.push({ on: ['rename', 'reopen'], then: 'cut-all' })
        await world.run({ retries: 0, writer: { run: '101' } })
        world.server.faults.length = 0
      }
      await world.interrupt(1.5 * MIB, { writer: { run: '102' } })
      // The first run is started again: its own state, its own file.
      world.watchesLedger = false
      world.store.text = before
      world.put('app.zip', first, world.clock.now() + 10_000)
      const outcome = await world.run({ writer: { attempt: 2 } })
      expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
      expect(world.isInPlace('app.zip')).toBe(true)
    }
  )
})

describe('late writes of a dead session', () => {
  test.each([true, false])('with the same bytes do no harm (by path: %s)', async lateToPath => {
    const world = new MemoryWorld({ lateMs: 3_000, lateToPath })
    world.put('app.zip', bytesOf(1, 5 * MIB))
    world.server.faults.push({ on: 'write', afterBytes: 2.5 * MIB, then: 'cut-all' })
    await world.run()
    await world.clock.untilQuiet()
    world.checkPromises()
    expect(world.isInPlace('app.zip')).toBe(true)
  })

  test.each([true, false])('of another version do not reach a new upload (by path: %s)', async lateToPath => {
    const world = new MemoryWorld({ lateMs: 10_000, lateToPath })
    world.put('app.zip', bytesOf(1, 5 * MIB))
    await world.interrupt(2.5 * MIB)
    world.put('app.zip', bytesOf(2, 6 * MIB))
    await world.run({ writer: { attempt: 2 } })
    await world.clock.untilQuiet()
    world.checkPromises()
    expect(world.isInPlace('app.zip')).toBe(true)
  })
})

describe('of the connections', () => {
  const told = ({ events }: Outcome) =>
    events.flatMap<number | string>(event => {
      if (event.type === 'connected') return [event.lanes]
      return event.type === 'notice' ? [event.text] : []
    })
  const open = () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 40 * MIB))
    return world
  }

  test('the first is told, and how many there are when all are open', async () => {
    expect(told(await open().run({ connections: 4 }))).toEqual([1, 4])
  })

  test('one that is refused is told with how many are left', async () => {
    const world = open()
    world.server.faults.push({ on: 'connect', after: 1, times: Infinity, then: 'connection-lost' })
    const outcome = await world.run({ connections: 4 })
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(told(outcome)).toEqual([
      1,
      'The server takes no further connection (connect: refused); going on with 1 connection.'
    ])
  })

  test.each([
    { files: 1, size: 10, expected: 1 },
    { files: 1, size: 8 * MIB, expected: 1 },
    { files: 1, size: 8 * MIB + 1, expected: 2 },
    { files: 3, size: 6 * MIB, expected: 3 },
    { files: 64, size: 10, expected: 1 },
    { files: 65, size: 10, expected: 2 }
  ])('there are $expected for $files of $size bytes: more would not be worth a login', async given => {
    const world = new MemoryWorld()
    for (let index = 0; index < given.files; index++) world.put(`file-${index}`, bytesOf(index, given.size))
    world.server.traits.latencyMs = 100
    await world.run({ connections: 4 })
    expect(world.server.sessions).toHaveLength(given.expected)
  })

  test('none is told when the first is refused as well', async () => {
    const world = open()
    world.server.faults.push({ on: 'connect', times: Infinity, then: 'connection-lost' })
    const outcome = await world.run({ connections: 4, retries: 0 })
    expect(resultOf(outcome, 'app.zip').status).toBe('failed')
    expect(told(outcome)).toEqual([])
  })
})

test('an upload of files that have changed since they were published has as many retries as it makes progress', async () => {
  const world = new MemoryWorld()
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const [seed, name] of names.entries()) world.put(name, bytesOf(seed, 4 * MIB))
  await world.run()
  for (const [seed, name] of names.entries()) world.put(name, bytesOf(10 + seed, 4 * MIB), world.clock.now())
  for (const mebibytes of [3, 7, 10, 14, 18, 21])
    world.server.faults.push({ on: 'write', afterBytes: mebibytes * MIB, then: 'cut-all' })
  const outcome = await world.run({ retries: 1, writer: { attempt: 2 } })
  expect(count(outcome, 'retrying')).toBe(6)
  expect(outcome.report.results.every(({ status }) => status === 'uploaded')).toBe(true)
})
