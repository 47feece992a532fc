import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf, digestOf, sameBytes } from '../support/memory-bytes.js'
import type { Operation } from '../support/memory-server.js'
import { count, decisionsOf, MemoryWorld, resultOf, whysOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = [0, 1, 1000, MIB]

function put(world: MemoryWorld): string[] {
  return SIZES.map((size, index) => {
    const name = `file-${index}`
    world.put(name, bytesOf(index, size))
    return name
  })
}

describe.each(VERIFY_MODES)('small files (verify: %s)', verify => {
  test('are told with their SHA-256', async () => {
    const world = new MemoryWorld()
    const names = put(world)
    const outcome = await world.run({ verify })
    for (const name of names.slice(1)) {
      const digest = digestOf(world.localBytes(name))
      expect(resultOf(outcome, name)).toMatchObject({ status: 'uploaded', digest })
    }
  })

  test.each<{ overtaking: Operation[] }>([
    { overtaking: ['fstat', 'stat'] },
    { overtaking: ['close'] },
    { overtaking: ['write', 'fstat', 'close'] },
    { overtaking: ['close', 'fstat'] }
  ])('get there where these do not wait for what was asked before: $overtaking', async ({ overtaking }) => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = new MemoryWorld({ seed, overtaking, jitterMs: 50, shufflesAnswers: seed % 2 === 0 })
      const names = put(world)
      const outcome = await world.run({ verify })
      expect(names.map(name => resultOf(outcome, name).status)).toEqual(names.map(() => 'uploaded'))
      expect(world.server.names('site')).toEqual(names)
    }
  })

  test.each(['create', 'write', 'fstat', 'close', 'replace'] as const)(
    'are sent again after a cut at: %s',
    async on => {
      for (const takesEffect of [true, false]) {
        const world = new MemoryWorld()
        world.put('app.zip', bytesOf(1, 700_000))
        world.putOld('app.zip', bytesOf(2, 700_000))
        world.server.faults.push({ on, then: 'cut', takesEffect })
        const outcome = await world.run({ verify })
        expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
        expect(count(outcome, 'retrying')).toBe(1)
      }
    }
  )
})

test('a small file whose close is refused is not in place, and nothing of it is recorded', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 1000))
  world.putOld('app.zip', bytesOf(2, 900))
  world.server.faults.push({ on: 'close', times: Infinity, then: 'permission' })
  const outcome = await world.run()
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'permission' } })
  expect(world.record('app.zip')?.ledger.acknowledged() ?? []).toEqual([])
  expect(sameBytes(world.remoteBytes('app.zip'), bytesOf(2, 900))).toBe(true)
})

test('a short write that was acknowledged is found by the size', async () => {
  const world = new MemoryWorld({ capacity: 800, acksShortWrite: true })
  world.put('app.zip', bytesOf(1, 1000))
  const outcome = await world.run()
  expect(whysOf(outcome)[1]).toMatch(/ must hold 1,000 bytes and holds 800 bytes$/)
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'no-space' } })
  expect(world.remoteBytes('app.zip')).toBeUndefined()
})

/** What is asked for part files of this name, in order, and when. */
function watch(world: MemoryWorld, name: string): { operation: Operation; at: number }[] {
  const asked: { operation: Operation; at: number }[] = []
  world.server.onRequest = ({ operation, path }) => {
    if (path.startsWith(`site/${name}.`)) asked.push({ operation, at: world.clock.now() })
  }
  return asked
}

test('a small file is sent in one go, made with its mode, and not read', async () => {
  const world = new MemoryWorld()
  const asked = watch(world, 'app.zip')
  world.put('app.zip', bytesOf(1, 1000))
  const outcome = await world.run({ fileMode: 0o640 })
  expect(asked.map(({ operation }) => operation)).toEqual(['create', 'write', 'fstat', 'close', 'replace'])
  expect(asked[3]?.at).toBe(asked[1]?.at)
  expect(world.server.files.get('site/app.zip')?.mode).toBe(0o640)
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ sentBytes: 1000, reusedBytes: 0 })
  expect(outcome.events.filter(({ type }) => type === 'acknowledged')).toEqual([
    { type: 'acknowledged', file: world.plan()[0], bytes: 1000 }
  ])
})

test('a small file that is verified in full is on the disk before it is closed', async () => {
  const world = new MemoryWorld({ sha256: 'right' })
  const asked = watch(world, 'app.zip')
  world.put('app.zip', bytesOf(1, 1000))
  await world.run({ verify: 'full' })
  expect(asked.map(({ operation }) => operation)).toEqual([
    'create',
    'write',
    'fstat',
    'sync',
    'close',
    'sha256',
    'replace'
  ])
})

test('a server that answers in its own way is asked one by one from then on', async () => {
  const world = new MemoryWorld()
  world.server.faults.push({ on: 'close', then: 'server-failure' })
  put(world)
  const asked = watch(world, 'last')
  const outcome = await world.run({ last: { name: 'last', size: 10, make: () => bytesOf(9, 10) } })
  expect(outcome.report.results.map(({ status }) => status)).toEqual([...SIZES, 10].map(() => 'uploaded'))
  expect(asked.map(({ operation }) => operation)).toEqual(['create', 'write', 'fstat', 'close', 'replace'])
  const times = asked.map(({ at }) => at)
  expect(new Set(times).size).toBe(5)
})

test('a permanent refusal is the failure of one file, sent at most twice', async () => {
  const world = new MemoryWorld()
  const names = put(world)
  world.server.faults.push({ on: 'write', path: /file-2\./, times: Infinity, then: 'server-failure' })
  const outcome = await world.run()
  expect(resultOf(outcome, 'file-2').error?.code).toBe('server-failure')
  expect(world.server.requests('create').filter(({ path }) => path.includes('file-2'))).toHaveLength(2)
  for (const name of names.filter(name => name !== 'file-2'))
    expect(resultOf(outcome, name).status).toBe('uploaded')
})

test('a small file that is sent once more is not claimed before it is there again', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 1000))
  // Verified by reading back, which is refused; then made anew, which empties it, and cut.
  world.server.faults.push(
    { on: 'openForReading', then: 'server-failure' },
    { on: 'write', after: 1, then: 'cut-all' }
  )
  await world.run({ verify: 'tail', retries: 0 })
  const [part = ''] = world.server.partsOf('site/app.zip')
  expect(world.server.bytesOf(part)).toHaveLength(0)
  expect(world.record('app.zip')?.ledger.acknowledged()).toEqual([])
})

test('failing files leave no handle open', async () => {
  const world = new MemoryWorld()
  put(world)
  world.disk.isUnreadable = local => local.endsWith('file-3') && world.server.requests('create').length > 2
  world.server.faults.push({ on: 'write', path: /file-2\./, times: Infinity, then: 'permission' })
  world.put('large', bytesOf(9, 12 * MIB))
  const outcome = await world.run()
  expect(resultOf(outcome, 'file-2').error?.code).toBe('permission')
  expect(resultOf(outcome, 'file-3').error?.code).toBe('source-unreadable')
  expect(world.server.sessions.map(({ openFiles }) => openFiles.size)).toEqual([0])
})

test.each(['write', 'fstat', 'sync'] as const)(
  'a file of which the server refuses this each time leaves no handle open: %s',
  async on => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 1000))
    world.put('large', bytesOf(9, 12 * MIB))
    world.server.faults.push({ on, path: /app\.zip\./, times: Infinity, then: 'server-failure' })
    const outcome = await world.run({ verify: 'full' })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('server-failure')
    expect(world.server.sessions.map(({ openFiles }) => openFiles.size)).toEqual([0])
  }
)

test('an earlier part file of a small file is used when it is whole', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 1000))
  world.server.faults.push({ on: 'replace', then: 'cut' })
  await world.run({ retries: 0 })
  const outcome = await world.run({ writer: { attempt: 2 } })
  expect(decisionsOf(outcome)).toEqual(['keep'])
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0, reusedBytes: 1000 })
})
