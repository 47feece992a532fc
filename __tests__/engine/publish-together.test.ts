import { describe, expect, test } from '@jest/globals'
import { bytesOf, changed, sameBytes } from '../support/memory-bytes.js'
import type { ServerTraits } from '../support/memory-server.js'
import {
  cancelled,
  count,
  decisionsOf,
  localOf,
  MemoryWorld,
  type Outcome,
  resultOf,
  type RunOptions
} from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = { a: 3 * MIB, b: 700_000, c: 0, d: 5 * MIB + 7, e: 10 }
const RENAMES = ['replace', 'rename'] as const
const NAMES = Object.keys(SIZES)

function worldOfFive(traits: Partial<ServerTraits> = {}): MemoryWorld {
  const world = new MemoryWorld(traits)
  for (const [index, [name, size]] of Object.entries(SIZES).entries()) {
    world.put(name, bytesOf(index + 1, size))
    world.putOld(name, bytesOf(index + 100, 5000))
  }
  return world
}

function isOld(world: MemoryWorld, name: string): boolean {
  return sameBytes(world.remoteBytes(name), bytesOf(NAMES.indexOf(name) + 100, 5000))
}

function run(world: MemoryWorld, options: RunOptions = {}): Promise<Outcome> {
  return world.run({ publish: 'together', connections: 2, ...options })
}

/** A later run, undisturbed. */
function runAgain(world: MemoryWorld, options: RunOptions = {}): Promise<Outcome> {
  world.server.faults.length = 0
  world.server.onRequest = () => undefined
  return run(world, { writer: { attempt: 2 }, ...options })
}

function statuses({ report }: Outcome): string[] {
  return report.results.map(({ status }) => status)
}

function codes({ report }: Outcome): (string | undefined)[] {
  return report.results.map(({ error }) => error?.code)
}

/** How many part files of it were begun. */
function creates(world: MemoryWorld, name: string): number {
  return world.server.requests('create').filter(({ path }) => path.startsWith(`site/${name}.`)).length
}

describe('publish: together', () => {
  test('renames nothing before everything else was asked for', async () => {
    const world = worldOfFive()
    expect(statuses(await run(world))).toEqual(NAMES.map(() => 'uploaded'))
    const operations = world.server.log.map(({ operation }) => operation)
    expect(operations.indexOf('replace')).toBeGreaterThan(operations.lastIndexOf('write'))
    expect(operations.indexOf('replace')).toBeGreaterThan(operations.lastIndexOf('close'))
    expect(world.server.names('site')).toEqual(NAMES)
  })

  test('skips what is in place, and publishes the rest', async () => {
    const world = worldOfFive()
    await run(world)
    world.put('b', bytesOf(50, 700_000), world.clock.now() + 5_000)
    const outcome = await runAgain(world)
    expect(statuses(outcome)).toEqual(['skipped', 'uploaded', 'skipped', 'skipped', 'skipped'])
  })

  test('saves the state once where there is nothing to rename', async () => {
    const world = worldOfFive()
    await run(world)
    const saves = world.store.saves.length
    expect(statuses(await runAgain(world))).toEqual(NAMES.map(() => 'skipped'))
    expect(world.store.saves).toHaveLength(saves + 1)
  })
})

describe('a run that is cut', () => {
  const SERVERS: [string, Partial<ServerTraits>][] = [
    ['that can replace', {}],
    ['whose rename refuses', { canReplace: false }],
    ['that empties what is opened again', { reopen: 'empties' }]
  ]

  test.each(SERVERS)('at any request, on a server %s: the next one completes', async (_name, traits) => {
    const undisturbed = worldOfFive(traits)
    await run(undisturbed)
    const requests = undisturbed.server.log.length
    for (let at = 0; at < requests; at += at < requests - 20 ? 4 : 1) {
      for (const takesEffect of [true, false]) {
        const world = worldOfFive(traits)
        world.watchesLedger = traits.reopen === undefined
        world.server.faults.push({ after: at, then: 'cut-all', takesEffect })
        await run(world, { retries: 0 })
        const asked = world.server.log.some(({ operation }) => /replace|rename/.test(operation))
        if (!asked) for (const name of NAMES) expect(isOld(world, name)).toBe(true)

        const outcome = await runAgain(world)
        expect(statuses(outcome)).not.toContain('failed')
        const left = world.server.names('site').filter(name => !NAMES.includes(name))
        // Of a file that was begun anew when the line was cut, the first part file stays.
        expect(left.filter(name => traits.reopen === undefined || !name.endsWith('.part'))).toEqual([])
      }
    }
  })

  test('among the renames sends nothing again', async () => {
    for (let renames = 0; renames < NAMES.length; renames++) {
      for (const takesEffect of [true, false]) {
        const world = worldOfFive()
        world.server.faults.push({ on: 'replace', after: renames, then: 'cut-all', takesEffect })
        expect(statuses(await run(world, { retries: 0 }))).toContain('failed')
        world.server.log.length = 0

        const outcome = await runAgain(world)
        expect(world.server.writtenBytes()).toBe(0)
        expect(world.server.requests('reopen')).toEqual([])
        expect(statuses(outcome)).not.toContain('failed')
      }
    }
  })

  test('goes on by itself while a retry is left', async () => {
    const world = worldOfFive()
    world.server.faults.push({ on: 'replace', after: 2, then: 'cut-all' })
    const outcome = await run(world)
    expect(statuses(outcome)).toEqual(NAMES.map(() => 'uploaded'))
    expect(count(outcome, 'retrying')).toBe(1)
    expect(world.server.writtenBytes()).toBe(Object.values(SIZES).reduce((sum, size) => sum + size))
  })

  test('on one connection renames over the others', async () => {
    const world = new MemoryWorld()
    for (let index = 0; index < 300; index++) world.put(`file-${index}`, bytesOf(index, 10))
    world.server.faults.push({ on: 'replace', session: 2, then: 'cut' })
    const outcome = await run(world, { connections: 3 })
    expect(new Set(statuses(outcome))).toEqual(new Set(['uploaded']))
    expect(count(outcome, 'retrying')).toBe(0)
  })

  test('without a word, by a kill: what was renamed since the last checkpoint is found in place', async () => {
    const world = worldOfFive()
    const saves = new Set<number>()
    world.server.onRequest = ({ operation }) => {
      if (operation === 'replace') saves.add(world.store.saves.length)
    }
    await run(world)
    // Saved when the renames began, and at the end.
    expect([...saves]).toEqual([1])
    expect(world.store.saves).toHaveLength(2)

    world.store.lose(1)
    const written = world.server.writtenBytes()
    const outcome = await runAgain(world)
    expect(new Set(decisionsOf(outcome))).toEqual(new Set(['confirm']))
    expect(world.server.writtenBytes()).toBe(written)
    expect(statuses(outcome)).not.toContain('failed')
  })
})

describe('a file that fails', () => {
  test('leaves everything as it was; a re-run sends what is missing', async () => {
    const world = worldOfFive()
    world.server.faults.push({ on: 'create', path: /site\/b\./, then: 'permission', times: Infinity })
    const outcome = await run(world)
    expect(codes(outcome)).toEqual(['withheld', 'permission', 'withheld', 'withheld', 'withheld'])
    expect(resultOf(outcome, 'd').error?.message).toContain('site/b')
    for (const name of NAMES) expect(isOld(world, name)).toBe(true)
    for (const name of ['a', 'c', 'd', 'e'] as const) {
      expect(world.server.partsOf(`site/${name}`)).toHaveLength(1)
      expect(resultOf(outcome, name).continuesWith).toBe(SIZES[name])
      expect(world.record(name)).toMatchObject({ whole: true })
    }

    const again = await runAgain(world)
    expect(decisionsOf(again).sort()).toEqual(['keep', 'keep', 'keep', 'keep', 'start'])
    expect(again.report.results.reduce((sum, { sentBytes }) => sum + sentBytes, 0)).toBe(SIZES.b)
    expect(statuses(again)).toEqual(NAMES.map(() => 'uploaded'))
  })

  test('for a directory in its place is found before the first rename', async () => {
    const world = worldOfFive()
    world.put('f', bytesOf(6, 10))
    world.server.directories.add('site/f')
    const outcome = await run(world)
    expect(codes(outcome).at(-1)).toBe('wrong-type')
    expect(world.server.requests('replace')).toEqual([])
  })

  test('because the local file changed after it was sent', async () => {
    const world = worldOfFive()
    world.server.onRequest = ({ operation, path }) => {
      const isFirst = world.disk.versions.get(localOf('e'))?.length === 1
      // Of the same size: only what the file system says of it tells.
      if (isFirst && operation === 'write' && path.startsWith('site/d.'))
        world.disk.put(localOf('e'), bytesOf(60, 10), { mtimeMs: world.clock.now() })
    }
    const outcome = await run(world, { connections: 1 })
    expect(codes(outcome).filter(code => code !== 'withheld')).toEqual(['source-changed'])
    expect(resultOf(outcome, 'e').error?.message).toBe('/project/e changed after it was sent')
    expect(world.server.requests('replace')).toEqual([])
    expect(statuses(await runAgain(world))).toEqual(NAMES.map(() => 'uploaded'))
  })

  test('while the renames are on their way does not hold the others up', async () => {
    const world = worldOfFive()
    world.mayBeAbsent = true
    world.server.faults.push({ on: RENAMES, path: /site\/b\.\w+\.part$/, then: 'permission', times: 9 })
    const outcome = await run(world)
    expect(codes(outcome)).toEqual([undefined, 'permission', undefined, undefined, undefined])
    expect(isOld(world, 'b')).toBe(true)
    expect(creates(world, 'b')).toBe(1)
    expect(decisionsOf(await runAgain(world)).sort()).toEqual(['keep', 'skip', 'skip', 'skip', 'skip'])
  })

  test('before the line is cut among the renames does not hold them up in the next attempt', async () => {
    const world = worldOfFive()
    world.mayBeAbsent = true
    world.server.faults.push(
      { on: 'replace', path: /site\/a\./, then: 'wrong-type' },
      // It takes some more requests until this one is in place.
      { on: 'replace', path: /site\/e\./, then: 'server-failure' }
    )
    world.onEvent = event => {
      if (event.type === 'finished' && event.result.status === 'failed') world.server.cutAll()
    }
    const outcome = await run(world)
    expect(count(outcome, 'retrying')).toBe(1)
    expect(codes(outcome)).toEqual(['wrong-type', undefined, undefined, undefined, undefined])
  })
})

describe('a rename that goes wrong', () => {
  test.each(['d', 'e'] as const)('because the part file vanished: it is sent again (%s)', async name => {
    const world = worldOfFive()
    world.server.onRequest = ({ operation, path }) => {
      if (operation === 'replace' && path.startsWith(`site/${name}.`) && creates(world, name) === 1)
        world.server.remove(path)
    }
    const outcome = await run(world)
    expect(statuses(outcome)).toEqual(NAMES.map(() => 'uploaded'))
    expect(resultOf(outcome, name).sentBytes).toBe(2 * SIZES[name])
  })

  test('because the file is a shorter one afterwards: it is sent again', async () => {
    const world = worldOfFive()
    const { server } = world
    server.onRequest = ({ operation, path }) => {
      const isRenamed = server.bytesOf('site/d')?.length === SIZES.d
      if (operation === 'stat' && path === 'site/d' && isRenamed && creates(world, 'd') === 1)
        server.open(path).truncate(MIB)
    }
    const outcome = await run(world)
    expect(statuses(outcome)).toEqual(NAMES.map(() => 'uploaded'))
    expect(resultOf(outcome, 'd').sentBytes).toBe(2 * SIZES.d)
  })

  test('each time anew: it is sent again once', async () => {
    const world = worldOfFive()
    world.watchesLedger = false
    world.server.onRequest = ({ operation, path }) => {
      if (operation === 'replace' && path.startsWith('site/d.')) world.server.remove(path)
    }
    const outcome = await run(world)
    expect(codes(outcome)).toEqual([undefined, undefined, undefined, 'not-found', undefined])
    expect(isOld(world, 'd')).toBe(true)
    expect(creates(world, 'd')).toBe(2)
  })
})

describe('a part file that is whole', () => {
  /** All are whole, and one is missing. */
  async function withhold(): Promise<MemoryWorld> {
    const world = worldOfFive()
    world.server.faults.push({ on: 'create', path: /site\/e\./, then: 'permission', times: Infinity })
    await run(world)
    return world
  }

  test.each([
    ['a', 1.5 * MIB],
    ['b', 0]
  ] as const)('and was damaged since is sent again (%s at %i)', async (name, at) => {
    const world = await withhold()
    const [part = ''] = world.server.partsOf(`site/${name}`)
    world.server.open(part).bytes.fill(7, at, at + 20)
    const outcome = await runAgain(world)
    expect(resultOf(outcome, name)).toMatchObject({ status: 'uploaded', sentBytes: SIZES[name] })
    expect(world.isInPlace(name)).toBe(true)
  })

  test.each(['a', 'b'] as const)('and was removed since is sent again (%s)', async name => {
    const world = await withhold()
    for (const part of world.server.partsOf(`site/${name}`)) world.server.remove(part)
    expect(resultOf(await runAgain(world), name)).toMatchObject({ sentBytes: SIZES[name] })
    expect(world.isInPlace(name)).toBe(true)
  })

  test('takes the blocks of a local file that changed', async () => {
    const world = await withhold()
    const rebuilt = changed(world.localBytes('d'), { offset: 2 * MIB + 5, length: 10 }, 1)
    world.put('d', rebuilt, world.clock.now() + 5_000)
    const outcome = await runAgain(world)
    expect(resultOf(outcome, 'd')).toMatchObject({ sentBytes: MIB, reusedBytes: SIZES.d - MIB })
    expect(world.isInPlace('d')).toBe(true)
  })

  test.each(['tail', 'full'] as const)('is verified again as the mode asks: %s', async verify => {
    const world = await withhold()
    const [part = ''] = world.server.partsOf('site/d')
    // Where no sample looks.
    world.server.open(part).bytes.fill(7, SIZES.d - MIB + 200_000, SIZES.d - MIB + 200_020)
    const outcome = await runAgain(world, { verify })
    expect(resultOf(outcome, 'd')).toMatchObject({ status: 'uploaded', sentBytes: SIZES.d })
    expect(world.isInPlace('d')).toBe(true)
  })
})

describe('told to stop', () => {
  test('before the first rename: nothing is published', async () => {
    const undisturbed = worldOfFive()
    await run(undisturbed)
    const first = undisturbed.server.log.findIndex(({ operation }) => operation === 'replace')
    for (let at = 1; at <= first; at += 2) {
      const world = worldOfFive()
      const stop = new AbortController()
      world.server.onRequest = (_request, number) => {
        if (number === at) stop.abort(cancelled())
      }
      expect(new Set(codes(await run(world, { signal: stop.signal })))).toEqual(new Set(['cancelled']))
      await world.clock.untilQuiet()
      for (const name of NAMES) expect(isOld(world, name)).toBe(true)
      expect(statuses(await runAgain(world))).not.toContain('failed')
    }
  })

  test('among the renames: they go on as long as there is time', async () => {
    const world = worldOfFive()
    const stop = new AbortController()
    world.server.onRequest = ({ operation }) => {
      if (operation === 'replace') stop.abort(cancelled())
    }
    expect(statuses(await run(world, { signal: stop.signal }))).toEqual(NAMES.map(() => 'uploaded'))
  })
})

test('many small files wait without an open handle, and are renamed some at a time', async () => {
  const world = new MemoryWorld({ latencyMs: 20 })
  for (let index = 0; index < 1500; index++) world.put(`d${index % 7}/file-${index}`, bytesOf(index, 10))
  let first: { readonly local: number; readonly remote: number } | undefined
  let renames = 0
  let most = 0
  const { server } = world
  world.onEvent = event => {
    if (event.type === 'finished') renames--
  }
  server.onRequest = ({ operation }) => {
    if (operation !== 'replace') return
    most = Math.max(most, ++renames)
    const remote = server.sessions.reduce((sum, { openFiles }) => sum + openFiles.size, 0)
    first ??= { local: world.disk.open, remote }
  }
  const outcome = await run(world, { connections: 4 })
  expect(new Set(statuses(outcome))).toEqual(new Set(['uploaded']))
  expect(first).toEqual({ local: 0, remote: 0 })
  expect(most).toBeGreaterThan(100)
  expect(most).toBeLessThanOrEqual(256)
})
