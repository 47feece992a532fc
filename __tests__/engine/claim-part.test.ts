import { describe, expect, test } from '@jest/globals'
import { bytesOf, changed } from '../support/memory-bytes.js'
import {
  count,
  decisionsOf,
  MemoryWorld,
  resultOf,
  whysOf,
  type Outcome,
  type RunOptions
} from '../support/memory-world.js'
import type { ServerTraits } from '../support/memory-server.js'

const MIB = 1024 * 1024
const SIZE = 20 * MIB
const bytes = bytesOf(1, SIZE)
const TAKEN = 'another job goes on with its part file'
const other = (run: string) => ({ writer: { run, runner: `runner of ${run}` } })

/** A build that differs from the one whose upload was begun, at that offset. */
function build(offset: number): Buffer {
  return changed(bytes, { offset, length: 10 }, offset)
}

/** Run 100 got so far, and ended. */
async function interrupted(traits: Partial<ServerTraits> = {}): Promise<MemoryWorld> {
  const world = new MemoryWorld(traits)
  world.put('app.zip', bytes)
  world.putOld('app.zip', bytesOf(9, 5000))
  await world.interrupt(9.5 * MIB)
  return world
}

/** Both runs, at the same time, to their ends. */
async function together(
  [one, its]: readonly [MemoryWorld, RunOptions],
  [two, theirs]: readonly [MemoryWorld, RunOptions]
): Promise<[Outcome, Outcome]> {
  const [first, second] = await one.clock.until(Promise.all([one.start(its), two.start(theirs)]))
  one.checkPromises()
  two.checkPromises()
  return [
    { report: first, events: one.events },
    { report: second, events: two.events }
  ]
}

describe('two runs that load the same state at the same time', () => {
  test.each([
    ['in what was not sent yet', 15 * MIB, 17 * MIB],
    ['in what was sent', 2 * MIB, 5 * MIB],
    ['one in what was sent, one in what was not', 2 * MIB, 17 * MIB]
  ])('with builds that differ %s: one goes on, the other starts over', async (_where, here, there) => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = await interrupted({ seed, jitterMs: 8 * seed })
      const rival = world.rival()
      world.put('app.zip', build(here), world.clock.now())
      rival.put('app.zip', build(there), world.clock.now())
      const outcomes = await together(
        [world, { connections: 2, ...other('200') }],
        [rival, { connections: 2, ...other('300') }]
      )
      const results = outcomes.map(outcome => resultOf(outcome, 'app.zip'))
      expect(results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
      expect(results.filter(({ reusedBytes }) => reusedBytes > 6 * MIB)).toHaveLength(1)
      expect(results.filter(({ sentBytes }) => sentBytes === SIZE)).toHaveLength(1)
      expect(world.server.names('site')).toEqual(['app.zip'])
    }
  })

  test('with the same build: the one that starts over says why', async () => {
    const world = await interrupted({ jitterMs: 8 })
    const rival = world.rival()
    rival.put('app.zip', bytes)
    const outcomes = await together([world, other('200')], [rival, other('300')])
    const [winner, loser] = [...outcomes].sort((a, b) => whysOf(a).length - whysOf(b).length)
    expect(winner && whysOf(winner)).toEqual([expect.stringContaining('already on the server')])
    expect(loser && whysOf(loser)).toEqual([expect.stringContaining('already on the server'), TAKEN])
  })

  test('on a server that copies: both get there, and their bytes do not mix', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = await interrupted({ seed, jitterMs: 8 * seed, canCopy: true })
      const rival = world.rival()
      world.put('app.zip', build(2 * MIB), world.clock.now())
      rival.put('app.zip', build(seed % 2 === 0 ? 5 * MIB : 15 * MIB), world.clock.now())
      const outcomes = await together([world, other('200')], [rival, other('300')])
      expect(outcomes.map(outcome => resultOf(outcome, 'app.zip').status)).toEqual(['uploaded', 'uploaded'])
      expect(world.server.names('site')).toEqual(['app.zip'])
    }
  })

  test('of which one is another attempt of the run that wrote it: as well', async () => {
    const world = await interrupted()
    const rival = world.rival()
    world.put('app.zip', build(15 * MIB), world.clock.now())
    rival.put('app.zip', build(17 * MIB), world.clock.now())
    const outcomes = await together([world, { writer: { attempt: 2 } }], [rival, other('300')])
    expect(outcomes.map(outcome => resultOf(outcome, 'app.zip').status)).toEqual(['uploaded', 'uploaded'])
    expect(
      outcomes
        .map(decisionsOf)
        .map(({ length }) => length)
        .sort()
    ).toEqual([1, 2])
  })

  test('in which a file is whole, and waits for its set: the other run does not take it', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytes)
    world.put('map.zip', bytesOf(2, SIZE))
    const publish = 'together'
    world.server.faults.push({ on: 'create', path: /map/, then: 'permission' })
    await world.run({ publish })
    const rival = world.rival()
    rival.put('app.zip', bytes)
    rival.put('map.zip', bytesOf(2, SIZE))
    world.put('app.zip', build(2 * MIB), world.clock.now())
    const [set, single] = await together(
      [rival, { publish, ...other('200') }],
      [world, { names: ['app.zip'], ...other('300') }]
    )
    expect(resultOf(set, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
    expect(whysOf(single).at(-1)).toBe(TAKEN)
    expect(resultOf(single, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: SIZE })
    expect(world.server.names('site')).toEqual(['app.zip', 'map.zip'])
  })
})

/** Both, to their ends, the second once the first goes on with a part file, or sends one. */
async function oneAfterTheOther(
  [one, its]: readonly [MemoryWorld, RunOptions],
  [two, theirs]: readonly [MemoryWorld, RunOptions]
): Promise<[Outcome, Outcome]> {
  const isSending = new Promise<void>(resolve => {
    one.onEvent = ({ type }) => {
      if (type === 'acknowledged') resolve()
    }
  })
  const first = one.start(its)
  await one.clock.until(isSending)
  const [report, other] = await one.clock.until(Promise.all([first, two.start(theirs)]))
  one.checkPromises()
  two.checkPromises()
  return [
    { report, events: one.events },
    { report: other, events: two.events }
  ]
}

describe.each([
  ['at the same time', together],
  ['one after the other', oneAfterTheOther]
] as const)('two jobs of one attempt that load the same state, %s', (_when, runBoth) => {
  async function expectApart(world: MemoryWorld, attempt: { run: string; attempt: number }): Promise<void> {
    const rival = world.rival()
    world.put('app.zip', build(15 * MIB), world.clock.now())
    rival.put('app.zip', build(17 * MIB), world.clock.now())
    const outcomes = await runBoth(
      [world, { connections: 2, writer: { ...attempt, runner: 'one' } }],
      [rival, { connections: 2, writer: { ...attempt, runner: 'two' } }]
    )
    const results = outcomes.map(outcome => resultOf(outcome, 'app.zip'))
    expect(results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded'])
    expect(results.filter(({ reusedBytes }) => reusedBytes > 6 * MIB)).toHaveLength(1)
    expect(results.filter(({ sentBytes }) => sentBytes === SIZE)).toHaveLength(1)
    expect(world.server.names('site')).toEqual(['app.zip'])
  }

  test('of another run: one goes on, the other starts over, part files are never shared', async () => {
    for (let seed = 1; seed <= 6; seed++)
      await expectApart(await interrupted({ seed, jitterMs: 8 * seed }), { run: '200', attempt: 1 })
  })

  test('of a later attempt of the run that wrote it: as well', async () => {
    for (let seed = 1; seed <= 6; seed++)
      await expectApart(await interrupted({ seed, jitterMs: 8 * seed }), { run: '100', attempt: 2 })
  })

  test('after an attempt that claimed it and was killed: as well', async () => {
    const world = await interrupted()
    const { text } = world.store
    await world.interrupt(3.5 * MIB, other('200'))
    world.store.text = text
    await expectApart(world, { run: '200', attempt: 2 })
  })
})

test.each([1, 2])(
  'of two jobs of a workflow, the one that does not learn that it came late starts over (attempt %i)',
  async attempt => {
    // Slow: the first is still at it when the other comes back.
    const world = await interrupted({ latencyMs: 200, window: 300_000 })
    const rival = world.rival()
    world.put('app.zip', build(15 * MIB), world.clock.now())
    rival.put('app.zip', build(17 * MIB), world.clock.now())
    world.server.faults.push({ on: 'rename', after: 1, then: 'cut', takesEffect: true })
    const run = attempt === 1 ? '200' : '100'
    const outcomes = await together(
      [world, { job: 'build', writer: { run, attempt, runner: 'one' } }],
      [rival, { job: 'deploy', writer: { run, attempt, runner: 'two' } }]
    )
    expect(outcomes.map(decisionsOf)).toEqual([['continue'], ['continue', 'start']])
    expect(outcomes.map(outcome => count(outcome, 'retrying'))).toEqual([0, 1])
    expect(outcomes.map(outcome => resultOf(outcome, 'app.zip').status)).toEqual(['uploaded', 'uploaded'])
    expect(world.server.names('site')).toEqual(['app.zip'])
  }
)

describe('a run that claimed a part file', () => {
  test('and was killed before it saved a checkpoint: its next attempt loses nothing, another run starts', async () => {
    const world = await interrupted()
    const { text } = world.store
    const kept = world.record('app.zip')?.ledger.acknowledgedBytes() ?? 0
    await world.interrupt(3.5 * MIB, other('200'))
    world.store.text = text
    const rival = world.rival()
    rival.put('app.zip', bytes)
    expect(decisionsOf(await rival.run({ ...other('300'), isDryRun: true }))).toEqual(['start'])

    const outcome = await world.run({ writer: { run: '200', attempt: 2, runner: 'another' } })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: kept })
    expect(kept).toBeGreaterThan(7 * MIB)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('and was killed again and again: an attempt finds what any before it had claimed', async () => {
    const world = await interrupted()
    const { text } = world.store
    for (const attempt of [1, 2, 4]) {
      const outcome = await world.interrupt(1.5 * MIB, { writer: { run: '200', attempt, runner: 'runner' } })
      expect(decisionsOf(outcome)).toEqual(['continue'])
      world.store.text = text
    }
    const outcome = await world.run({ writer: { run: '200', attempt: 8, runner: 'runner' } })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('looks at no more names than it may have', async () => {
    for (const [attempt, names] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [50, 5]
    ] as const) {
      const world = await interrupted()
      const asked = world.server.requests('stat').length
      await world.run({ writer: { run: '200', attempt, runner: 'runner' } })
      const parts = world.server.requests('stat').slice(asked)
      expect(parts.filter(({ path }) => path.endsWith('.part'))).toHaveLength(names)
    }
  })

  test('as a command line that is the only one by its name, and was killed: the next one goes on', async () => {
    const world = await interrupted()
    const { text } = world.store
    const command = { ...other('command line, here'), isOnlyWriter: true }
    await world.interrupt(3.5 * MIB, command)
    world.store.text = text
    const outcome = await world.run(command)
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip').reusedBytes).toBeGreaterThan(7 * MIB)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each([true, false])('and did not learn of it (renamed: %s) looks at both names', async takesEffect => {
    const world = await interrupted()
    world.server.faults.push({ on: 'rename', then: 'cut', takesEffect })
    const outcome = await world.run(other('200'))
    expect(count(outcome, 'retrying')).toBe(1)
    expect(decisionsOf(outcome)).toEqual(['continue', 'continue'])
    expect(resultOf(outcome, 'app.zip').reusedBytes).toBeGreaterThan(7 * MIB)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('keeps its name for the rest of the run', async () => {
    const world = await interrupted()
    world.server.faults.push({ on: 'write', afterBytes: 2 * MIB, then: 'cut' })
    expect(resultOf(await world.run(other('200')), 'app.zip').status).toBe('uploaded')
    expect(world.server.requests('rename')).toHaveLength(1)
  })
})

test.each(['permission', 'server-failure', 'not-found'] as const)(
  'a part file that cannot be claimed (%s) is sent anew',
  async then => {
    const world = await interrupted()
    world.server.faults.push({ on: 'rename', then })
    const outcome = await world.run(other('200'))
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
    expect(world.server.names('site')).toEqual(['app.zip'])
  }
)

/** A run whose file is whole, and got no final name. */
async function withheld(): Promise<MemoryWorld> {
  const world = new MemoryWorld({ jitterMs: 8 })
  world.put('app.zip', bytes)
  world.server.faults.push({ on: ['replace', 'rename'], times: Infinity, then: 'permission' })
  await world.run()
  world.server.faults.length = 0
  return world
}

describe('a whole part file', () => {
  test('that two runs find at the same time is published by one; the other starts over, and says why', async () => {
    const world = await withheld()
    const rival = world.rival()
    rival.put('app.zip', bytes)
    const outcomes = await together([world, other('200')], [rival, other('300')])
    expect(outcomes.map(decisionsOf).sort()).toEqual([['keep'], ['keep', 'start']])
    expect(outcomes.flatMap(whysOf)).toContain(TAKEN)
    expect(outcomes.map(outcome => resultOf(outcome, 'app.zip').sentBytes).sort()).toEqual([0, SIZE])
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test('that may not be renamed before it is published is kept', async () => {
    const world = await withheld()
    world.server.faults.push({ on: 'rename', path: /part$/, times: 1, then: 'permission' })
    const outcome = await world.run(other('200'))
    expect(decisionsOf(outcome)).toEqual(['keep'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
  })

  test('whose claim is not answered is kept after it, under the name that it has', async () => {
    const world = await withheld()
    world.server.faults.push({ on: 'rename', path: /part$/, then: 'cut', takesEffect: true })
    const outcome = await world.run(other('200'))
    expect(decisionsOf(outcome)).toEqual(['keep', 'keep'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
    expect(world.server.names('site')).toEqual(['app.zip'])
  })
})

describe('a part file whose rename to the target may still be on its way', () => {
  /** The line is cut at that rename, and the server has lost the end of the part file: it is opened again. */
  async function cutAtRename(then?: 'permission' | 'cut'): Promise<{ world: MemoryWorld; outcome: Outcome }> {
    const world = new MemoryWorld()
    world.watchesLedger = false
    world.put('app.zip', bytes)
    world.server.faults.push({ on: 'replace', then: 'cut' })
    if (then !== undefined) world.server.faults.push({ on: 'rename', then, times: 1 })
    world.server.onRequest = ({ operation, session }) => {
      if (operation !== 'connect' || session === 1) return
      for (const part of world.server.partsOf('site/app.zip')) world.server.open(part).truncate(SIZE - MIB)
      world.server.onRequest = () => undefined
    }
    return { world, outcome: await world.run() }
  }

  test('gets another name first', async () => {
    const { world, outcome } = await cutAtRename()
    expect(decisionsOf(outcome)).toEqual(['start', 'continue'])
    const [created, reopened] = (['create', 'reopen'] as const).map(
      operation => world.server.requests(operation)[0]?.path
    )
    expect(reopened).toMatch(/^site\/app\.zip\.[0-9a-f]{8}\.part$/)
    expect(reopened).not.toBe(created)
    expect(world.isInPlace('app.zip')).toBe(true)
  })

  test('is gone on with under its own where that is refused: the late one will be, too', async () => {
    const { world, outcome } = await cutAtRename('permission')
    expect(decisionsOf(outcome)).toEqual(['start', 'continue'])
    expect(world.server.requests('reopen')[0]?.path).toBe(world.server.requests('create')[0]?.path)
    expect(world.isInPlace('app.zip')).toBe(true)
  })

  test('is looked at again when the answer to that is lost', async () => {
    const { world, outcome } = await cutAtRename('cut')
    expect(decisionsOf(outcome)).toEqual(['start', 'continue', 'continue'])
    expect(world.isInPlace('app.zip')).toBe(true)
  })
})
