import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf, changed, sameBytes } from '../support/memory-bytes.js'
import { decisionsOf, MemoryWorld, resultOf, whysOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const next = { writer: { attempt: 2 } }

function open(size: number): MemoryWorld {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, size))
  return world
}

describe.each([0, 10, MIB + 1])('a file of %i bytes', size => {
  test('is closed whatever becomes of it', async () => {
    const world = open(size)
    world.server.faults.push({ on: 'replace', then: 'wrong-type' })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('wrong-type')
    expect(world.disk.open).toBe(0)
    expect(resultOf(await world.run(next), 'app.zip').status).toBe('uploaded')
    expect(world.disk.open).toBe(0)
  })

  test('is not sent again after a rename that is refused, though the same bytes are in place', async () => {
    const world = open(size)
    world.putOld('app.zip', bytesOf(1, size))
    world.server.faults.push({ on: ['replace', 'rename'], then: 'permission', times: Infinity })
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ sentBytes: size, error: { code: 'permission' } })
    expect(world.server.requests('openForReading')).toEqual([])
  })

  test('fails where no part file can be made, though the same bytes are in place', async () => {
    const world = open(size)
    world.putOld('app.zip', bytesOf(1, size))
    world.server.faults.push({ on: 'create', then: 'not-found', times: Infinity })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('not-found')
    expect(world.server.requests('openForReading')).toEqual([])
  })
})

describe('bytes on the server that turn out to be wrong', () => {
  /** The disk of the server spoils every part file that is closed, so many times. */
  function spoil(world: MemoryWorld, times: number): void {
    world.watchesLedger = false
    world.server.onRequest = ({ operation, path }) => {
      if (operation === 'close' && times-- > 0) world.server.open(path).bytes.fill(7, 5, 9)
    }
  }

  test.each([10, 3 * MIB])('are sent again (%i bytes)', async size => {
    const world = open(size)
    spoil(world, 1)
    const outcome = await world.run({ verify: 'full' })
    expect(decisionsOf(outcome)).toEqual(['start', 'start'])
    expect(whysOf(outcome)[1]).toMatch(/^check site\/app\.zip\.\w+\.part: the bytes on the server are not/)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 2 * size })
  })

  test.each([10, 3 * MIB])('are sent again once, and are a failure then (%i bytes)', async size => {
    const world = open(size)
    spoil(world, Infinity)
    const outcome = await world.run({ verify: 'full' })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      sentBytes: 2 * size,
      error: { code: 'not-verified' }
    })
    expect(world.remoteBytes('app.zip')).toBeUndefined()
  })

  test('of a server that takes one writer a file are sent over one lane, and so is every file from then on', async () => {
    const world = new MemoryWorld({ reopen: 'empties' })
    world.watchesLedger = false
    world.put('app.zip', bytesOf(1, 12 * MIB))
    const last = { name: 'last', size: 12 * MIB, make: () => bytesOf(2, 12 * MIB) }
    const outcome = await world.run({ connections: 2, last })
    expect(whysOf(outcome)).toEqual([
      'no earlier upload is known',
      'this server takes one writer a file',
      'no earlier upload is known'
    ])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(resultOf(outcome, 'last')).toMatchObject({ status: 'uploaded', sentBytes: 12 * MIB })
    expect(world.server.requests('reopen').filter(({ path }) => path.includes('last'))).toEqual([])
  })
})

describe.each([10, 3 * MIB])('a rename whose answer was lost, of a file of %i bytes', size => {
  /** It did not happen, so far. */
  async function cut(): Promise<MemoryWorld> {
    const world = open(size)
    world.putOld('app.zip', changed(bytesOf(1, size), { offset: 5, length: 2 }, 1))
    world.server.faults.push({ on: 'replace', then: 'cut-all' })
    await world.run({ retries: 0 })
    return world
  }

  test.each(VERIFY_MODES)(
    'and that happens just before the next one is in place (verify: %s)',
    async verify => {
      const world = await cut()
      world.server.onRequest = ({ operation, path }) => {
        if (operation === 'replace') world.server.rename(path, 'site/app.zip', true)
      }
      const outcome = await world.run({ verify, ...next })
      expect(decisionsOf(outcome)).toEqual(['keep'])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
      expect(world.server.sessions.at(-1)?.openFiles.size).toBe(0)
    }
  )

  test('is none where the part file vanished', async () => {
    const world = await cut()
    world.server.onRequest = ({ operation, path }) => {
      if (operation === 'replace') world.server.remove(path)
    }
    world.watchesLedger = false
    const outcome = await world.run(next)
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('not-found')
    expect(sameBytes(world.remoteBytes('app.zip'), bytesOf(1, size))).toBe(false)
  })

  test('is none where the old file only begins with the same bytes', async () => {
    const world = await cut()
    world.server.onRequest = ({ operation, path }) => {
      if (operation !== 'replace') return
      world.server.remove(path)
      world.putOld('app.zip', Buffer.concat([bytesOf(1, size), Buffer.of(0)]))
    }
    world.watchesLedger = false
    const outcome = await world.run(next)
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('not-found')
  })

  test.each([true, false])('is told as what it was, and the file sent (can be read: %s)', async canBeRead => {
    const world = await cut()
    for (const part of world.server.partsOf('site/app.zip')) world.server.remove(part)
    if (!canBeRead) world.server.faults.push({ on: 'openForReading', then: 'permission', times: Infinity })
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['confirm', 'start'])
    expect(whysOf(outcome)[1]).toBe('its rename did not happen')
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
  })
})
