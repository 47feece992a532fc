import { describe, expect, test } from '@jest/globals'
import { bytesOf, changed } from '../support/memory-bytes.js'
import { decisionsOf, MemoryWorld, resultOf, whysOf } from '../support/memory-world.js'
import { closeState } from '../../src/engine/checkpoint.js'
import type { ServerTraits } from '../support/memory-server.js'

const MIB = 1024 * 1024
const SIZE = 12 * MIB
const first = bytesOf(1, SIZE)
const next = { writer: { attempt: 2 } }

/** The first build got so far; writes that were on their way are carried out later. */
async function interrupted(traits: Partial<ServerTraits> = {}): Promise<MemoryWorld> {
  const world = new MemoryWorld({ canCopy: true, lateMs: 60_000, ...traits })
  world.put('app.zip', first)
  await world.interrupt(6.5 * MIB)
  return world
}

/** Another build, in all blocks but the first two, or in those from the given one on. */
function rebuild(world: MemoryWorld, from = 2): void {
  let bytes = first
  for (let block = from; block < 12; block++)
    bytes = changed(bytes, { offset: block * MIB + 500_000, length: 100 }, block)
  world.put('app.zip', bytes, world.clock.now() + 1000)
}

describe('a rebuilt part file', () => {
  test.each([
    ['in what was acknowledged', 2],
    ['in what was on its way only', 6]
  ])('that differs %s is out of reach of a dead session', async (_where, from) => {
    const world = await interrupted()
    rebuild(world, from)
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue'])
    const { reusedBytes, sentBytes } = resultOf(outcome, 'app.zip')
    expect(reusedBytes).toBeGreaterThanOrEqual(Math.min(from, 5) * MIB)
    expect(sentBytes).toBe(SIZE - reusedBytes)
    expect(world.server.requests('copy')).toHaveLength(1)
    expect(world.server.names('site')).toEqual(['app.zip'])

    await world.clock.untilQuiet()
    expect(world.isInPlace('app.zip')).toBe(true)
    world.checkPromises()
  })

  describe('on a server that cannot copy', () => {
    const cannot = { canCopy: false, lateMs: 60_000 }

    /** The first build got so far, and its runner was killed: its end is in no state. */
    async function killed(): Promise<MemoryWorld> {
      const world = new MemoryWorld(cannot)
      world.put('app.zip', first)
      await world.interrupt(6.5 * MIB, { intervalMs: 20 })
      world.store.lose(1)
      expect(world.store.meta(world.keys).closed).toBe(false)
      return world
    }

    async function stalled(): Promise<MemoryWorld> {
      const world = new MemoryWorld(cannot)
      world.put('app.zip', first)
      world.server.faults.push({ on: 'write', afterBytes: 6.5 * MIB, then: 'silence' })
      await world.run({ retries: 0 })
      expect(world.store.meta(world.keys).closed).toBe(true)
      return world
    }

    async function expectInPlaceForGood(world: MemoryWorld): Promise<void> {
      await world.clock.untilQuiet()
      expect(world.isInPlace('app.zip')).toBe(true)
      expect(world.server.names('site')).toEqual(['app.zip'])
      world.checkPromises()
    }

    test.each([
      ['was killed', killed],
      ['fell silent', stalled]
    ])('after a session that %s starts over: what that wrote may come late', async (_how, leave) => {
      const world = await leave()
      rebuild(world)
      expect(decisionsOf(await world.run({ ...next, isDryRun: true }))).toEqual(['start'])
      const outcome = await world.run(next)
      expect(decisionsOf(outcome)).toEqual(['start'])
      expect(whysOf(outcome)).toEqual([
        'it was rebuilt, and writes of a lost session may still reach its part file'
      ])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({
        status: 'uploaded',
        reusedBytes: 0,
        sentBytes: SIZE
      })
      await expectInPlaceForGood(world)
    })

    test('after a killed run whose end was noted by post as well', async () => {
      const world = await killed()
      world.store.text = closeState(world.keys, world.store.text ?? '', world.clock.now())
      rebuild(world)
      expect(decisionsOf(await world.run({ writer: { run: '200' } }))).toEqual(['start'])
      await expectInPlaceForGood(world)
    })

    test('after a run that claimed it, and was killed before it saved anything', async () => {
      const world = new MemoryWorld(cannot)
      world.put('app.zip', first)
      world.server.traits.lateMs = undefined
      await world.interrupt(6.5 * MIB)
      const { text } = world.store
      expect(world.store.meta(world.keys).closed).toBe(true)
      world.server.traits.lateMs = 60_000
      await world.interrupt(2 * MIB, next)
      world.store.text = text
      rebuild(world)
      expect(decisionsOf(await world.run({ writer: { attempt: 3 } }))).toEqual(['start'])
      await expectInPlaceForGood(world)
    })

    test('however many runs later', async () => {
      const world = await killed()
      expect(decisionsOf(await world.interrupt(2 * MIB, next))).toEqual(['continue'])
      expect(world.store.meta(world.keys).closed).toBe(true)
      rebuild(world)
      expect(decisionsOf(await world.run({ writer: { attempt: 3 } }))).toEqual(['start'])
      await expectInPlaceForGood(world)
    })

    test('but is continued once it has started over', async () => {
      const world = await killed()
      rebuild(world)
      world.server.traits.lateMs = undefined
      await world.interrupt(6.5 * MIB, next)
      rebuild(world, 5)
      expect(decisionsOf(await world.run({ writer: { attempt: 3 } }))).toEqual(['continue'])
      await expectInPlaceForGood(world)
    })

    test('and one that did not change is continued after all of them', async () => {
      for (const leave of [killed, stalled]) {
        const world = await leave()
        world.put('app.zip', first, world.clock.now() + 1000)
        expect(decisionsOf(await world.run(next))).toEqual(['continue'])
        await expectInPlaceForGood(world)
      }
    })
  })

  test('that was copied is out of reach, and continued where the server cannot copy any more', async () => {
    const world = new MemoryWorld({ canCopy: true })
    world.put('app.zip', first)
    await world.interrupt(6.5 * MIB, { intervalMs: 20 })
    world.store.lose(1)
    rebuild(world, 5)
    expect(decisionsOf(await world.interrupt(2 * MIB, next))).toEqual(['continue'])
    world.server.traits.canCopy = false
    rebuild(world, 4)
    expect(decisionsOf(await world.run({ writer: { attempt: 3 } }))).toEqual(['continue'])
    expect(world.isInPlace('app.zip')).toBe(true)
  })

  test('that did not change is not copied', async () => {
    const world = await interrupted({ lateMs: undefined })
    world.put('app.zip', first, world.clock.now() + 1000)
    expect(decisionsOf(await world.run(next))).toEqual(['continue'])
    expect(world.server.requests('copy')).toEqual([])
  })

  test.each(['no-space', 'server-failure', 'unsupported', 'permission'] as const)(
    'that cannot be copied (%s) is sent anew, and leaves nothing',
    async then => {
      for (const takesEffect of [false, true]) {
        const world = await interrupted()
        rebuild(world)
        world.server.faults.push({ on: 'copy', then, takesEffect })
        const outcome = await world.run(next)
        expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
        expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: SIZE })
        expect(world.server.names('site')).toEqual(['app.zip'])
      }
    }
  )

  test('is copied again when the line is cut meanwhile, and leaves nothing', async () => {
    const world = await interrupted()
    rebuild(world)
    world.server.faults.push({ on: 'copy', then: 'cut', takesEffect: true })
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue', 'continue'])
    expect(resultOf(outcome, 'app.zip').reusedBytes).toBe(2 * MIB)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('whose copy lacks bytes is sent anew', async () => {
    const world = await interrupted()
    rebuild(world)
    const { server } = world
    server.onRequest = ({ operation }) => {
      if (operation !== 'reopen') return
      for (const part of server.partsOf('site/app.zip')) server.open(part).truncate(MIB)
      server.onRequest = () => undefined
    }
    world.watchesLedger = false
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(world.isInPlace('app.zip')).toBe(true)
  })
})
