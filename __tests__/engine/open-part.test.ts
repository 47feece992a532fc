import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf, changed } from '../support/memory-bytes.js'
import { count, decisionsOf, MemoryWorld, resultOf, warnings } from '../support/memory-world.js'
import type { ServerRequest, ServerTraits } from '../support/memory-server.js'

const MIB = 1024 * 1024
const SIZE = 20 * MIB
const bytes = bytesOf(1, SIZE)
const next = { writer: { attempt: 2 } }
/** Zeros at its head, at its tail, and where each of its blocks begins. */
const image = Buffer.from(bytes)
for (let at = 0; at < SIZE; at += MIB) image.fill(0, at, at + 200 * 1024)
image.fill(0, 0, MIB).fill(0, SIZE - MIB)

async function interrupted(traits: Partial<ServerTraits> = {}): Promise<MemoryWorld> {
  const world = new MemoryWorld(traits)
  world.put('app.zip', bytes)
  world.putOld('app.zip', bytesOf(9, 5000))
  await world.interrupt(15.5 * MIB)
  return world
}

function spoil(world: MemoryWorld, offset: number): void {
  const [part] = world.server.partsOf('site/app.zip')
  const inode = world.server.open(part ?? '')
  inode.write(changed(inode.bytes.subarray(offset, offset + 1), { offset: 0, length: 1 }, 3), offset)
}

function sessionsOf(requests: readonly ServerRequest[]): Set<number> {
  return new Set(requests.map(({ session }) => session))
}

describe.each(['empties', 'zeroes'] as const)('a server that %s a file on opening', reopen => {
  test('gets a fresh upload, over one lane', async () => {
    const world = await interrupted({ reopen })
    world.watchesLedger = false
    const outcome = await world.run({ connections: 3, ...next })
    expect(decisionsOf(outcome).slice(0, 2)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
    expect(world.server.names('site')).toEqual(['app.zip'])
    const { log } = world.server
    const last = log.slice(log.findLastIndex(({ operation }) => operation === 'create'))
    expect(sessionsOf(last.filter(({ operation }) => operation === 'write')).size).toBe(1)
  })

  test.each(VERIFY_MODES)(
    'gets every file right the first time, and leaves no part files (verify: %s)',
    async verify => {
      for (let seed = 1; seed <= 4; seed++) {
        const world = new MemoryWorld({ reopen, seed, jitterMs: 40 * seed })
        world.watchesLedger = false
        world.put('a', bytes)
        world.put('b', bytesOf(2, 9 * MIB))
        const outcome = await world.run({ verify, connections: 4 })
        expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
        expect(world.server.names('site')).toEqual(['a', 'b'])
      }
    }
  )

  test.each(VERIFY_MODES)(
    'is found out when the answer to the opening is lost (verify: %s)',
    async verify => {
      for (let seed = 1; seed <= 8; seed++) {
        const world = new MemoryWorld({ reopen, seed, jitterMs: 30 * seed, shufflesAnswers: seed % 2 === 0 })
        if (seed > 4) world.server.traits.overtaking = ['write']
        world.watchesLedger = false
        world.put('app.zip', bytes)
        world.server.faults.push({ on: 'reopen', then: 'cut', takesEffect: true })
        const outcome = await world.run({ verify, connections: 2 })
        expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
      }
    }
  )

  test.each(VERIFY_MODES)(
    'gets a file of long runs of zeros right, as a disk image has them (verify: %s)',
    async verify => {
      for (let seed = 1; seed <= 4; seed++) {
        const world = new MemoryWorld({ reopen, seed, jitterMs: 40 * seed })
        world.watchesLedger = false
        world.put('disk.img', image)
        const outcome = await world.run({ verify, connections: 4 })
        expect(resultOf(outcome, 'disk.img').status).toBe('uploaded')
      }
    }
  )

  test('gets such a file afresh, too, when it was interrupted', async () => {
    for (const at of [6.5, 10.5, 15.5]) {
      const world = new MemoryWorld({ reopen })
      world.watchesLedger = false
      world.put('disk.img', image)
      await world.interrupt(at * MIB)
      const outcome = await world.run({ connections: 3, ...next })
      expect(decisionsOf(outcome).slice(0, 2)).toEqual(['continue', 'start'])
      expect(resultOf(outcome, 'disk.img').status).toBe('uploaded')
    }
  })

  test.each(VERIFY_MODES)(
    'is found out with such a file, too, when the answer to the opening is lost (verify: %s)',
    async verify => {
      for (let seed = 1; seed <= 8; seed++) {
        const world = new MemoryWorld({ reopen, seed, jitterMs: 30 * seed, shufflesAnswers: seed % 2 === 0 })
        world.watchesLedger = false
        world.put('disk.img', image)
        world.server.faults.push({ on: 'reopen', then: 'cut', takesEffect: true })
        const outcome = await world.run({ verify, connections: 2 })
        expect(resultOf(outcome, 'disk.img').status).toBe('uploaded')
      }
    }
  )

  test('does not get continued forever: each run ends', async () => {
    const world = await interrupted({ reopen })
    world.watchesLedger = false
    for (let session = 2; session < 40; session++) {
      world.server.faults.push({ on: 'write', session, afterBytes: 5.5 * MIB, then: 'cut' })
    }
    const outcome = await world.run({ retries: 2, ...next })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('connection-lost')
    expect(world.server.sessions.length).toBeLessThan(12)
  })
})

test('a rename that comes late does not publish what a later attempt emptied', async () => {
  const world = new MemoryWorld({ reopen: 'empties', lateMs: 60_000, latencyMs: 5 })
  world.watchesLedger = false
  world.put('app.zip', bytesOf(1, 3 * MIB))
  let closes = 0
  world.server.onRequest = ({ operation, session }) => {
    // The rename is on its way when the line is cut.
    if (operation === 'close' && closes++ === 0) world.clock.after(6, () => world.server.cutAll())
    // The server has lost the end of the part file, which is why that is opened again.
    if (operation !== 'connect' || session === 1) return
    for (const part of world.server.partsOf('site/app.zip')) world.server.open(part).truncate(2 * MIB)
  }
  // What was emptied stays until the rename comes.
  world.server.faults.push({ on: 'remove', times: Infinity, then: 'permission' })
  const outcome = await world.run()
  expect(decisionsOf(outcome)).toEqual(['start', 'continue', 'start'])
  expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  await world.clock.untilQuiet()
  expect(world.isInPlace('app.zip')).toBe(true)
  world.checkPromises(outcome.report)
})

describe('a part file with other bytes', () => {
  test('in its first block is sent anew', async () => {
    const world = await interrupted()
    spoil(world, MIB - 1)
    world.watchesLedger = false
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      sentBytes: SIZE,
      reusedBytes: 0
    })
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('in its latest block is sent anew', async () => {
    const world = await interrupted()
    spoil(world, (world.record('app.zip')?.ledger.recent().at(-1) ?? 0) * MIB + 5)
    world.watchesLedger = false
    expect(decisionsOf(await world.run(next))).toEqual(['continue', 'start'])
  })

  test('where no sample looked is sent anew before it is published (verify: full)', async () => {
    const world = await interrupted()
    spoil(world, 4 * MIB + 500_000)
    world.watchesLedger = false
    const outcome = await world.run({ verify: 'full', ...next })
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
  })

  test('is sent anew only once', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 2 * MIB))
    world.putOld('app.zip', bytesOf(9, 5000))
    world.watchesLedger = false
    world.server.onRequest = ({ operation }) => {
      if (operation === 'sha256') spoil(world, 5)
    }
    const outcome = await world.run({ verify: 'full' })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'not-verified' } })
    expect(decisionsOf(outcome)).toEqual(['start', 'start'])
    expect(world.remoteBytes('app.zip')).toHaveLength(5000)
  })
})

describe('a server that does not continue part files', () => {
  test('because it refuses to open them gets a fresh upload', async () => {
    const world = await interrupted()
    world.server.faults.push({ on: 'reopen', times: Infinity, then: 'permission' })
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      sentBytes: SIZE,
      reusedBytes: 0
    })
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each(['server-failure', 'unsupported'] as const)(
    'because it refuses what is written into them gets one, too (%s)',
    async then => {
      const world = await interrupted()
      world.server.onRequest = ({ operation }) => {
        // Only a file that was created takes bytes.
        if (operation === 'reopen') world.server.faults.push({ on: 'write', times: Infinity, then })
        if (operation === 'create') world.server.faults.length = 0
      }
      const outcome = await world.run(next)
      expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
    }
  )
})

test('a second writer whose writes are refused leaves the file to the first', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytes)
  world.server.faults.push({ on: 'write', session: 2, times: Infinity, then: 'server-failure' })
  const outcome = await world.run({ connections: 2 })
  expect(decisionsOf(outcome)).toEqual(['start'])
  expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
  const refused = world.server.requests('write').filter(({ session }) => session === 2)
  expect(refused.length).toBeGreaterThan(0)
  // What was on its way when the first answer came: less than a block, and the next one.
  expect(refused.length).toBeLessThanOrEqual((2 * MIB) / world.server.traits.chunkSize)
})

describe('a server that lets nobody read', () => {
  test.each(['size', 'timestamp'] as const)('is believed what it acknowledged (verify: %s)', async verify => {
    const world = await interrupted()
    world.server.faults.push({ on: 'openForReading', times: Infinity, then: 'permission' })
    const outcome = await world.run({ verify, ...next })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(warnings(outcome).length).toBeGreaterThan(0)
  })

  test('gets its blocks over one lane', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytes)
    world.server.faults.push({ on: 'openForReading', times: Infinity, then: 'permission' })
    const outcome = await world.run({ connections: 3 })
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(sessionsOf(world.server.requests('write')).size).toBe(1)
  })
})

test('a part file that is there by name only is sent anew, without a warning', async () => {
  const world = await interrupted()
  world.server.faults.push({ on: 'openForReading', then: 'not-found' })
  const outcome = await world.run(next)
  expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
  expect(warnings(outcome)).toEqual([])
})

test('a local file that cannot be read is not taken for a server that lets nobody read', async () => {
  const world = await interrupted()
  const { server } = world
  const asked = server.log.length
  world.disk.isUnreadable = () => server.log.slice(asked).some(({ operation }) => operation === 'reopen')
  const outcome = await world.run(next)
  expect(resultOf(outcome, 'app.zip').error?.code).toBe('source-unreadable')
  expect(warnings(outcome)).toEqual([])
})

test('a connection that is lost while the part file is opened again is retried', async () => {
  for (const on of ['reopen', 'fstat', 'openForReading', 'read', 'close'] as const) {
    const world = await interrupted()
    world.server.faults.push({ on, then: 'cut', takesEffect: true })
    const outcome = await world.run(next)
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(count(outcome, 'retrying')).toBe(1)
    expect(resultOf(outcome, 'app.zip').reusedBytes).toBeGreaterThan(10 * MIB)
  }
})

describe('a new part file', () => {
  test('is made with its mode, and read by nobody over one connection', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytes)
    await world.run({ fileMode: 0o640 })
    expect(world.server.files.get('site/app.zip')?.mode).toBe(0o640)
    expect(world.server.requests('setAttributes')).toEqual([])
    expect(world.server.requests('openForReading')).toEqual([])
  })

  test('is shared by the connections, unless the server takes one writer a file', async () => {
    const world = new MemoryWorld({ reopen: 'empties' })
    world.watchesLedger = false
    world.put('app.zip', bytes)
    const last = { name: 'last', size: SIZE, make: () => bytesOf(2, SIZE) }
    const outcome = await world.run({ connections: 2, last })
    expect(resultOf(outcome, 'last').status).toBe('uploaded')
    const readers = world.server.requests('openForReading').map(({ path }) => path)
    expect(readers.some(path => path.includes('app.zip'))).toBe(true)
    expect(readers.filter(path => path.includes('last'))).toEqual([])

    const other = new MemoryWorld()
    other.put('app.zip', bytes)
    await other.run({ connections: 2 })
    expect(sessionsOf(other.server.requests('write')).size).toBe(2)
  })

  test('is gone again where a directory is in the place of the target', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytes)
    world.put('small', bytesOf(2, 10))
    world.server.directories.add('site').add('site/app.zip')
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('wrong-type')
    expect(world.server.names('site')).toEqual(['app.zip', 'small'])
    expect(world.server.requests('write').filter(({ path }) => path.includes('app.zip'))).toEqual([])
    expect(world.server.sessions.map(({ openFiles }) => openFiles.size)).toEqual([0])
  })

  test('that cannot be made fails for the reason of the server', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytes)
    world.server.faults.push({ on: 'create', then: 'permission', times: Infinity })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('permission')
  })
})

describe('a part file that is opened again', () => {
  test.each([
    { reopen: 'empties', why: /^this server empties a part file that is opened again$/ },
    { reopen: 'zeroes', why: /^the part file does not hold the bytes that were sent$/ },
    { reopen: 'keeps', why: /^this server does not continue a part file \(reopen .+: refused\)$/ }
  ] as const)('and is of no use is told as what it is ($reopen)', async ({ reopen, why }) => {
    const world = await interrupted({ reopen })
    world.watchesLedger = false
    if (reopen === 'keeps') world.server.faults.push({ on: 'reopen', then: 'permission' })
    const { events } = await world.run(next)
    expect(events.flatMap(event => (event.type === 'decided' ? [event.decision.why] : []))[1]).toMatch(why)
  })

  test('may end with the last block that is kept', async () => {
    const world = await interrupted()
    const [part = ''] = world.server.partsOf('site/app.zip')
    const end = world.record('app.zip')?.ledger.acknowledgedEnd() ?? 0
    world.server.open(part).truncate(end)
    expect(decisionsOf(await world.run(next))).toEqual(['continue'])
  })

  test('is told when nobody may read it, and read by nobody when it is whole', async () => {
    const world = await interrupted()
    let open: number | undefined
    world.server.onRequest = ({ operation }) => {
      if (operation === 'replace') open = world.server.sessions.at(-1)?.openFiles.size
    }
    await world.run(next)
    expect(open).toBe(0)

    const secret = await interrupted()
    secret.server.faults.push({ on: 'openForReading', then: 'permission', times: Infinity })
    expect(warnings(await secret.run(next))[0]).toMatch(
      /^The server lets nobody read site\/app\.zip\.\w+\.part \(.+\); what it acknowledged is kept unread\.$/
    )
  })
})
