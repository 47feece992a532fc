import { describe, expect, test } from '@jest/globals'
import { bytesOf } from '../support/memory-bytes.js'
import { decisionsOf, MemoryWorld, resultOf, warnings, type Outcome } from '../support/memory-world.js'
import type { ServerTraits } from '../support/memory-server.js'

const MIB = 1024 * 1024

function worldOf(small: number, traits: Partial<ServerTraits> = {}): MemoryWorld {
  const world = new MemoryWorld(traits)
  for (let index = 0; index < small; index++) world.put(`file-${index}`, bytesOf(index, 100))
  return world
}

function notices({ events }: Outcome): string[] {
  return events.flatMap(event => (event.type === 'notice' ? [event.text] : []))
}

function statuses({ report }: Outcome): string[] {
  return [...new Set(report.results.map(({ status }) => status))]
}

describe('a server that lets few handles be open, and tells it only by its refusals', () => {
  test.each([
    ['of each session', { handlesOfSession: 5 }, 1],
    ['of each session', { handlesOfSession: 5 }, 3],
    ['of each session', { handlesOfSession: 1 }, 2],
    ['of each session, in any order', { handlesOfSession: 3, shufflesAnswers: true }, 3],
    ['of all sessions', { handlesOfAll: 12 }, 3],
    ['of all sessions', { handlesOfAll: 2 }, 4]
  ])('%s, as %j, gets all files in one run, over %i connections', async (_of, traits, connections) => {
    for (let seed = 1; seed <= 4; seed++) {
      const world = worldOf(300, { ...traits, seed, jitterMs: 4 * seed })
      expect(statuses(await world.run({ connections, retries: 0 }))).toEqual(['uploaded'])
    }
  })

  test('is asked for no more than it took from then on, and that is told once', async () => {
    const world = worldOf(400, { handlesOfSession: 8 })
    const outcome = await world.run()
    const asked = world.server.requests('create').length
    // What was on its way when the first one was refused, and was asked for once more.
    expect(asked).toBeLessThanOrEqual(2 * 400 - 8)
    expect(asked).toBeGreaterThan(400)
    expect(notices(outcome)).toEqual(['The server lets only 8 files be open at once; going on with fewer.'])
  })

  test.each([1, 2, 3, 5])('(%i) gets large files beside small ones, and continues them', async handles => {
    const world = worldOf(60)
    const large = ['a', 'b', 'c', 'd']
    for (const name of large) world.put(name, bytesOf(name.charCodeAt(0), 6 * MIB))
    for (const name of large)
      world.server.faults.push({
        on: 'write',
        path: new RegExp(`/${name}\\.`),
        afterBytes: 4 * MIB,
        times: Infinity,
        then: 'permission'
      })
    await world.run({ names: large })
    world.server.faults.length = 0
    world.server.traits.handlesOfSession = handles
    const outcome = await world.run({ connections: 2, retries: 0, writer: { attempt: 2 } })
    expect(statuses(outcome)).toEqual(['uploaded'])
    for (const name of large) expect(resultOf(outcome, name).reusedBytes).toBeGreaterThan(2 * MIB)
    expect(warnings(outcome).length > 0).toBe(handles === 1)
  })

  test.each(['size', 'tail', 'full'] as const)(
    'has whole files read back, too (verify: %s)',
    async verify => {
      const world = worldOf(100)
      for (let index = 0; index < 20; index++) world.put(`part-${index}`, bytesOf(index, 2 * MIB))
      world.put('missing', bytesOf(7, 10))
      world.server.faults.push({ on: 'create', path: /missing/, then: 'permission' })
      await world.run({ publish: 'together', verify })
      world.server.traits.handlesOfSession = 4
      const outcome = await world.run({ publish: 'together', verify, retries: 0, writer: { attempt: 2 } })
      expect(statuses(outcome)).toEqual(['uploaded'])
      expect(decisionsOf(outcome).filter(decision => decision === 'keep').length).toBeGreaterThanOrEqual(120)
      for (let index = 0; index < 20; index++)
        expect(resultOf(outcome, `part-${index}`).reusedBytes).toBe(2 * MIB)
      expect(warnings(outcome)).toEqual([])
    }
  )
})

describe('a refusal without a reason', () => {
  test('of one file only is its own failure, and slows the others down little', async () => {
    const world = worldOf(1000)
    world.server.faults.push({ on: 'create', path: /file-3\./, times: Infinity, then: 'server-failure' })
    const outcome = await world.run({ retries: 0 })
    expect(resultOf(outcome, 'file-3').error?.code).toBe('server-failure')
    expect(outcome.report.results.filter(({ status }) => status === 'uploaded')).toHaveLength(999)
    expect(notices(outcome)).toEqual([])
    const usual = await worldOf(1000).run()
    expect(outcome.report.elapsedMs).toBeLessThan(3 * usual.report.elapsedMs)
  })

  test('of everything is final at once', async () => {
    const world = worldOf(50)
    world.server.faults.push({ on: 'create', times: Infinity, then: 'server-failure' })
    expect(statuses(await world.run())).toEqual(['failed'])
    expect(world.server.requests('create').length).toBeLessThanOrEqual(101)
  })

  test('to open a part file again is not waited out while another file is sent', async () => {
    const world = worldOf(20)
    world.put('app.zip', bytesOf(1, 20 * MIB))
    await world.interrupt(9 * MIB, { names: ['app.zip'] })
    world.server.faults.push({ on: 'reopen', times: Infinity, then: 'server-failure' })
    const outcome = await world.run({ retries: 0, writer: { attempt: 2 } })
    expect(statuses(outcome)).toEqual(['uploaded'])
    expect(world.server.requests('reopen')).toHaveLength(1)
  })
})

test('a handle that goes with its session is waited for no longer', async () => {
  const world = worldOf(40, { handlesOfAll: 4 })
  world.put('app.zip', bytesOf(1, 20 * MIB))
  world.server.faults.push({ on: 'write', afterBytes: 5 * MIB, then: 'cut' })
  expect(statuses(await world.run({ connections: 2 }))).toEqual(['uploaded'])
})

test('a lane that has no handle left to join a file with leaves it as it is', async () => {
  const world = new MemoryWorld()
  for (const name of ['a', 'b']) world.put(name, bytesOf(name.charCodeAt(0), 20 * MIB))
  const fault = { on: 'openForReading', session: 2, after: 1, then: 'server-failure' } as const
  world.server.faults.push(fault)
  const outcome = await world.run({ connections: 2, retries: 0 })
  expect(
    world.server.requests('openForReading').filter(({ session }) => session === 2).length
  ).toBeGreaterThan(1)
  expect(decisionsOf(outcome)).toEqual(['start', 'start'])
  expect(statuses(outcome)).toEqual(['uploaded'])
})
