import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf } from '../support/memory-bytes.js'
import type { ServerTraits } from '../support/memory-server.js'
import { count, decisionsOf, MemoryWorld, type Outcome, resultOf, whysOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZE = 8 * MIB
const next = { writer: { attempt: 2 } }

function open(traits: Partial<ServerTraits> = {}): MemoryWorld {
  const world = new MemoryWorld(traits)
  world.put('app.zip', bytesOf(1, SIZE))
  return world
}

/** Bytes of the file that the last save claims. */
function claimed(world: MemoryWorld): number {
  return world.record('app.zip')?.ledger.acknowledgedBytes() ?? 0
}

function acknowledged({ events }: Outcome): number {
  return events.reduce((sum, event) => sum + (event.type === 'acknowledged' ? event.bytes : 0), 0)
}

test('tells of every acknowledged chunk, and counts it', async () => {
  const world = open()
  const outcome = await world.run()
  expect(acknowledged(outcome)).toBe(SIZE)
  expect(count(outcome, 'acknowledged')).toBeGreaterThanOrEqual(SIZE / world.server.traits.chunkSize)
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: SIZE })
})

test.each(VERIFY_MODES)('puts the file on the disk only where it is verified in full (%s)', async verify => {
  const world = open()
  await world.run({ verify })
  expect(world.server.requests('sync')).toHaveLength(verify === 'full' ? 1 : 0)
})

describe('a part file that is continued', () => {
  test.each([
    { on: 'write', then: 'permission' },
    // The first is that of the sample.
    { on: 'close', after: 1, then: 'server-failure' }
  ] as const)('and refused at: $on, is sent anew', async fault => {
    const world = open()
    await world.interrupt(6.5 * MIB)
    world.server.onRequest = ({ operation }) => {
      if (operation === 'reopen') world.server.faults.push(fault)
    }
    const outcome = await world.run({ verify: 'tail', ...next })
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(whysOf(outcome)[1]).toMatch(/^this server does not continue a part file \((?:write|close) .+\)$/)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
  })

  test.each(['no-space', 'wrong-type'] as const)('and fails for another reason (%s), is not', async then => {
    const world = open()
    await world.interrupt(6.5 * MIB)
    world.server.faults.push({ on: 'write', then })
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip').error?.code).toBe(then)
    expect(world.server.partsOf('site/app.zip')).toHaveLength(1)
  })
})

test('a new part file that is refused is a failure, and not begun anew', async () => {
  const world = open()
  world.server.faults.push({ on: 'write', then: 'permission', times: Infinity })
  const outcome = await world.run()
  expect(decisionsOf(outcome)).toEqual(['start'])
  expect(resultOf(outcome, 'app.zip').error).toMatchObject({ code: 'permission' })
  expect(world.server.sessions[0]?.openFiles.size).toBe(0)
})

describe('what is claimed of a part file', () => {
  test('on a full disk leaves out what may have been in flight', async () => {
    const world = open({ capacity: 5.6 * MIB, acksShortWrite: true, window: 2 * MIB })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('no-space')
    expect(claimed(world)).toBeGreaterThan(0)
    expect(claimed(world)).toBeLessThanOrEqual(4 * MIB)
    world.server.traits.capacity = Infinity
    const outcome = await world.run(next)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded' })
    expect(decisionsOf(outcome)).toEqual(['continue'])
  })

  test('after any other failure is all that was acknowledged', async () => {
    const world = open({ window: 2 * MIB })
    world.server.faults.push({ on: 'write', afterBytes: 5 * MIB, then: 'wrong-type' })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe('wrong-type')
    expect(claimed(world)).toBeGreaterThanOrEqual(5 * MIB)
  })

  test.each(['permission', 'no-space'] as const)('is nothing when its close is refused (%s)', async then => {
    const world = open()
    world.server.faults.push({ on: 'close', then })
    expect(resultOf(await world.run(), 'app.zip').error?.code).toBe(then)
    expect(claimed(world)).toBe(0)
  })

  test('is everything when the line was cut at its close', async () => {
    const world = open()
    world.server.faults.push({ on: 'close', then: 'cut-all' })
    await world.run({ retries: 0 })
    expect(claimed(world)).toBe(SIZE)
  })
})

test('a failure of the transfer is told, and not that of the close after it', async () => {
  const world = open()
  world.server.faults.push({ on: 'write', then: 'wrong-type' }, { on: 'close', then: 'no-space' })
  const outcome = await world.run({ verify: 'full' })
  expect(resultOf(outcome, 'app.zip').error?.code).toBe('wrong-type')
  expect(world.server.requests('sync')).toEqual([])
})

test('verifies over another lane where its own has ended at the close', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 20 * MIB))
  world.server.faults.push({ on: 'write', session: 1, afterBytes: 5.5 * MIB, then: 'cut' })
  const outcome = await world.run({ connections: 3, verify: 'full' })
  expect(decisionsOf(outcome)).toEqual(['start'])
  expect(count(outcome, 'retrying')).toBe(0)
  expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
})
