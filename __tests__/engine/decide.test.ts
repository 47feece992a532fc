import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf, changed, digestOf, sameBytes } from '../support/memory-bytes.js'
import { count, decisionsOf, localOf, MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZE = 8 * MIB
const first = bytesOf(1, SIZE)
const next = { writer: { attempt: 2 } }

/** Six or so of eight blocks arrive. */
async function interrupted(verify: (typeof VERIFY_MODES)[number] = 'size'): Promise<MemoryWorld> {
  const world = new MemoryWorld()
  world.put('app.zip', first)
  await world.interrupt(6.5 * MIB, { verify })
  return world
}

function kept(world: MemoryWorld): number[] {
  return world.record('app.zip')?.ledger.acknowledged() ?? []
}

function partOf(world: MemoryWorld): string {
  const [part] = world.server.partsOf('site/app.zip')
  if (part === undefined) throw new Error('no part file')
  return part
}

describe('a rebuilt file', () => {
  test.each(['size', 'tail', 'full'] as const)('costs the block that differs (verify: %s)', async verify => {
    const world = await interrupted(verify)
    const blocks = kept(world)
    expect(blocks).toContain(2)
    world.put('app.zip', changed(first, { offset: 2 * MIB + 77, length: 5 }, 1), world.clock.now() + 60_000)
    const outcome = await world.run({ verify, ...next })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      reusedBytes: (blocks.length - 1) * MIB,
      sentBytes: SIZE - (blocks.length - 1) * MIB
    })
  })

  test('costs the block that differs where its time was kept (verify: timestamp)', async () => {
    const world = await interrupted('timestamp')
    const blocks = kept(world)
    const { mtimeMs } = world.disk.at(localOf('app.zip'))
    world.put('app.zip', changed(first, { offset: 2 * MIB + 77, length: 5 }, 1), mtimeMs)
    const outcome = await world.run({ verify: 'timestamp', ...next })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      reusedBytes: (blocks.length - 1) * MIB
    })
  })

  test('costs the block that differs, when it takes the place of the first between two attempts, with the same time', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', first)
    const { mtimeMs } = world.disk.at(localOf('app.zip'))
    world.server.faults.push({ on: 'write', afterBytes: 6.5 * MIB, then: 'cut-all' })
    const { openSource } = world.disk
    let opened = 0
    const replaced: typeof openSource = file => {
      if (++opened === 2)
        world.put('app.zip', changed(first, { offset: 2 * MIB + 77, length: 5 }, 1), mtimeMs)
      return openSource(file)
    }
    Object.assign(world.disk, { openSource: replaced })
    const outcome = await world.run()
    expect(decisionsOf(outcome)).toEqual(['start', 'continue'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded' })
    expect(resultOf(outcome, 'app.zip').sentBytes).toBeGreaterThanOrEqual(SIZE + MIB)
  })

  test('costs everything with another time (verify: timestamp)', async () => {
    const world = await interrupted('timestamp')
    world.put('app.zip', first, world.clock.now() + 60_000)
    const part = partOf(world)
    const outcome = await world.run({ verify: 'timestamp', ...next })
    expect(decisionsOf(outcome)).toEqual(['start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      sentBytes: SIZE,
      reusedBytes: 0
    })
    expect(world.server.requests('remove').map(({ path }) => path)).toContain(part)
  })

  test('costs everything with another tail (verify: tail)', async () => {
    const world = await interrupted('tail')
    world.put('app.zip', changed(first, { offset: SIZE - 1, length: 1 }, 1))
    const outcome = await world.run({ verify: 'tail', ...next })
    expect(decisionsOf(outcome)).toEqual(['start'])
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each(VERIFY_MODES)('of another size starts, and its part file is gone (verify: %s)', async verify => {
    for (const size of [SIZE + 1, SIZE - MIB, 100, 0]) {
      const world = await interrupted(verify)
      world.put('app.zip', bytesOf(2, size))
      const outcome = await world.run({ verify, ...next })
      expect(decisionsOf(outcome)).toEqual(['start'])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
      expect(world.server.names('site')).toEqual(['app.zip'])
    }
  })

  test('that has nothing in common starts', async () => {
    const world = await interrupted()
    world.put('app.zip', bytesOf(2, SIZE))
    expect(decisionsOf(await world.run(next))).toEqual(['start'])
  })

  test('is sent again after the first one was published', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', first)
    await world.run()
    world.put('app.zip', changed(first, { offset: 2 * MIB, length: 1 }, 1), world.clock.now() + 60_000)
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['start'])
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(world.server.requests('remove')).toEqual([])
  })

  test('fits a disk that has no room for its old part file, too', async () => {
    const world = new MemoryWorld({ capacity: 12 * MIB })
    world.put('app.zip', first)
    await world.interrupt(6.5 * MIB)
    world.put('app.zip', bytesOf(2, SIZE + 1))
    expect(resultOf(await world.run(next), 'app.zip')).toMatchObject({ status: 'uploaded' })
  })

  test('fits it as well where the part file that was continued turns out to be wrong', async () => {
    const world = new MemoryWorld({ capacity: 24 * MIB })
    const large = bytesOf(1, 16 * MIB)
    world.put('app.zip', large)
    await world.interrupt(14.5 * MIB, { verify: 'full' })
    world.put('app.zip', changed(large, { offset: 2 * MIB, length: 1 }, 1))
    // Where no sample looks.
    world.server.open(partOf(world)).bytes.fill(7, 6 * MIB + 200_000, 6 * MIB + 200_020)
    world.watchesLedger = false
    const outcome = await world.run({ verify: 'full', ...next })
    expect(decisionsOf(outcome)).toEqual(['continue', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: 0 })
  })

  test.each([true, false])(
    'gets a part file of another name: an older state would claim its blocks (rebuilt: %s)',
    async isRebuilt => {
      const world = new MemoryWorld()
      world.put('app.zip', first)
      world.server.faults.push({ on: 'write', afterBytes: 4.5 * MIB, then: 'cut' })
      const bytes = isRebuilt ? changed(first, { offset: 2 * MIB, length: 1 }, 1) : first
      world.onEvent = ({ type }) => {
        if (type === 'retrying') world.disk.write(localOf('app.zip'), bytes, world.clock.now() + 5)
      }
      expect(decisionsOf(await world.run())).toEqual(['start', 'continue'])
      const [created, reopened] = (['create', 'reopen'] as const).map(
        operation => world.server.requests(operation)[0]?.path
      )
      expect(created === reopened).toBe(!isRebuilt)
    }
  )

  test('is compared with what was sent once, and not again after every cut', async () => {
    const world = await interrupted()
    world.disk.digestMs = 10_000
    world.server.faults.push({ on: 'write', then: 'cut-all' }, { on: 'write', after: 1, then: 'cut-all' })
    const startedMs = world.clock.now()
    const outcome = await world.run(next)
    expect(count(outcome, 'retrying')).toBe(2)
    // All blocks once, and the last one in every attempt.
    expect(world.clock.now() - startedMs).toBeLessThan((8 + 3) * 10_000)
  })
})

describe('the part file on the server', () => {
  test('that is gone: starts', async () => {
    const world = await interrupted()
    const gone = partOf(world)
    world.server.remove(gone)
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['start'])
    // In the end, and just in case: a dead session may have made it by then.
    expect(world.server.requests('remove').map(({ path }) => path)).toEqual([gone, `${gone}.old`])
    expect(resultOf(outcome, 'app.zip').sentBytes).toBe(SIZE)
  })

  test('that a dead session makes late, after an attempt gave it up and failed, goes when the file is in place', async () => {
    const world = await interrupted()
    const late = partOf(world)
    world.server.remove(late)
    const forbidden = { on: 'write', times: Infinity, then: 'permission' } as const
    world.server.faults.push(forbidden)
    for (const attempt of [2, 3]) await world.run({ writer: { attempt } })
    world.server.faults.length = 0
    world.server.put(late, first)
    world.server.put(`${late}.old`, first)
    await world.run({ writer: { attempt: 4 } })
    expect(world.server.names('site')).toEqual(['app.zip'])
    expect(world.record('app.zip')).not.toHaveProperty('abandoned', expect.anything())
  })

  test('of many that were given up, the last sixteen are remembered', async () => {
    const world = await interrupted()
    const forbidden = { on: 'write', times: Infinity, then: 'permission' } as const
    world.server.faults.push(forbidden)
    const left: string[] = []
    for (let attempt = 2; attempt < 22; attempt++) {
      left.push(world.record('app.zip')?.partId ?? '')
      for (const part of world.server.partsOf('site/app.zip')) world.server.remove(part)
      await world.run({ writer: { attempt } })
    }
    expect(world.record('app.zip')?.abandoned).toEqual(left.slice(-16))
  })

  test('that is longer than the local file: starts, and it is removed', async () => {
    const world = await interrupted()
    world.server.open(partOf(world)).write(Buffer.alloc(10), SIZE)
    expect(decisionsOf(await world.run(next))).toEqual(['start'])
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each([MIB + 1, 3 * MIB, 4 * MIB - 1])(
    'that has only %i bytes: what is beyond is sent again',
    async size => {
      const world = await interrupted()
      world.server.open(partOf(world)).truncate(size)
      world.watchesLedger = false
      const outcome = await world.run(next)
      expect(decisionsOf(outcome)).toEqual(['continue'])
      const whole = Math.floor(size / MIB) * MIB
      expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', reusedBytes: whole })
    }
  )

  test('that is empty: starts', async () => {
    const world = await interrupted()
    world.server.open(partOf(world)).truncate(0)
    world.watchesLedger = false
    expect(decisionsOf(await world.run(next))).toEqual(['start'])
  })

  test('that is a directory: starts', async () => {
    const world = await interrupted()
    const part = partOf(world)
    world.server.remove(part)
    world.server.directories.add(part)
    expect(resultOf(await world.run(next), 'app.zip').status).toBe('uploaded')
  })

  test('that cannot be removed is no failure', async () => {
    const world = await interrupted()
    world.put('app.zip', bytesOf(2, 10 * MIB))
    world.server.faults.push({ on: 'remove', times: Infinity, then: 'permission' })
    expect(resultOf(await world.run(next), 'app.zip').status).toBe('uploaded')
  })
})

describe('the target on the server', () => {
  async function published(size = 2 * MIB): Promise<MemoryWorld> {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    await world.run()
    return world
  }

  test.each([0, 10, 2 * MIB])(
    'that is in place is not sent again, whatever its local time (%i bytes)',
    async size => {
      const world = await published(size)
      world.put('app.zip', bytesOf(1, size), world.clock.now() + 60_000)
      const outcome = await world.run(next)
      expect(decisionsOf(outcome)).toEqual(['skip'])
      expect(resultOf(outcome, 'app.zip')).toMatchObject({
        status: 'skipped',
        sentBytes: 0,
        reusedBytes: size
      })
    }
  )

  test.each([10, 2 * MIB])('that is gone is sent again (%i bytes)', async size => {
    const world = await published(size)
    world.mayBeAbsent = true
    world.server.remove('site/app.zip')
    const outcome = await world.run(next)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
  })

  test.each([10, 2 * MIB])('that has another time, or size, is sent again (%i bytes)', async size => {
    for (const [bytes, mtime] of [
      [size, 5],
      [size + 1, undefined]
    ] as const) {
      const world = await published(size)
      const now = world.server.stat('site/app.zip')?.mtime
      world.server.put('site/app.zip', bytesOf(9, bytes), mtime ?? now)
      const outcome = await world.run(next)
      expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
    }
  })

  test.each([10, 2 * MIB])('that is a directory is a failure of this file (%i bytes)', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.put('other', bytesOf(2, size))
    world.server.directories.add('site').add('site/app.zip')
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'wrong-type' } })
    expect(resultOf(outcome, 'other').status).toBe('uploaded')
  })

  test('that is a directory is told before any file is published, where all are published together', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 10))
    world.server.directories.add('site').add('site/app.zip')
    const outcome = await world.run({ publish: 'together' })
    expect(resultOf(outcome, 'app.zip').error?.message).toBe(
      'upload /project/app.zip to site/app.zip: a directory of that name is in its place'
    )
    expect(world.server.requests('create')).toEqual([])
  })

  test.each([
    { publish: 'each', size: 10, questions: 1 },
    { publish: 'each', size: MIB + 1, questions: 2 },
    { publish: 'together', size: 10, questions: 2 },
    { publish: 'together', size: MIB + 1, questions: 2 }
  ] as const)(
    'is asked for $questions times for a new file of $size bytes (publish: $publish)',
    async ({ publish, size, questions }) => {
      const world = new MemoryWorld()
      world.put('app.zip', bytesOf(1, size))
      await world.run({ publish })
      expect(world.server.requests('stat').filter(({ path }) => path === 'site/app.zip')).toHaveLength(
        questions
      )
    }
  )
})

describe('of what an earlier run left', () => {
  test('only its bytes count as reused, and the time from the first attempt on', async () => {
    const world = await interrupted()
    const bytes = kept(world).length * MIB
    world.server.faults.push({ on: 'write', afterBytes: 1.2 * MIB, then: 'cut-all' })
    const startedMs = world.clock.now()
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['continue', 'continue'])
    const { reusedBytes, elapsedMs } = resultOf(outcome, 'app.zip')
    expect(reusedBytes).toBe(bytes)
    expect(elapsedMs).toBeGreaterThan(500)
    expect(elapsedMs).toBeLessThanOrEqual(world.clock.now() - startedMs)
  })

  test('the tail is recorded of files that can be continued at all', async () => {
    const world = new MemoryWorld()
    world.put('small', bytesOf(1, MIB))
    world.put('large', bytesOf(2, MIB + 1))
    await world.run()
    expect(world.record('small')?.identity.tail).toBeUndefined()
    expect(world.record('large')?.identity.tail).toBe(digestOf(world.localBytes('large').subarray(1)))
  })
})

describe('a part file that is whole', () => {
  /** The answer to its rename, which did not happen, was lost. */
  async function whole(): Promise<MemoryWorld> {
    const world = new MemoryWorld()
    world.put('app.zip', first)
    world.server.faults.push({ on: 'replace', then: 'cut-all' })
    await world.run({ retries: 0 })
    expect(world.record('app.zip')).toMatchObject({ whole: true })
    return world
  }

  test('is that still when the next run is cut while it is proven', async () => {
    const world = await whole()
    world.server.faults.push({ on: 'openForReading', then: 'cut-all' })
    const outcome = await world.run({ retries: 0, ...next })
    expect(decisionsOf(outcome)).toEqual(['keep'])
    expect(world.record('app.zip')).toMatchObject({ whole: true })
  })

  test('and was renamed since is that still when the next run is cut while it reads the target', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', first)
    world.put('missing', bytesOf(2, 10))
    world.server.faults.push({ on: 'create', path: /missing/, then: 'permission', times: Infinity })
    await world.run({ publish: 'together' })
    // By a run that was killed before it saved anything.
    world.server.rename(partOf(world), 'site/app.zip', true)
    world.server.faults.push({ on: 'openForReading', then: 'cut-all' })
    await world.run({ publish: 'together', retries: 0, ...next })
    world.server.faults.length = 0
    const outcome = await world.run({ publish: 'together', ...next })
    expect(decisionsOf(outcome).sort()).toEqual(['confirm', 'start'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
  })

  test.each([
    [10, 1],
    [SIZE, 2]
  ])('is read back before it is renamed, a small one once (%i bytes)', async (size, times) => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.server.faults.push({ on: 'replace', then: 'cut-all' })
    await world.run({ retries: 0 })
    expect(decisionsOf(await world.run(next))).toEqual(['keep'])
    expect(world.server.requests('openForReading')).toHaveLength(times)
  })

  test('and was damaged where only a sample looks is sent again, and that is told', async () => {
    const world = await whole()
    world.server.open(partOf(world)).bytes.fill(7, 7.5 * MIB, 7.5 * MIB + 9)
    const outcome = await world.run(next)
    const why = outcome.events.flatMap(event => (event.type === 'decided' ? [event.decision.why] : []))[1]
    expect(why).toMatch(/^check site\/app\.zip\.\w+\.part: it does not hold the bytes that were sent$/)
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: SIZE })
  })

  test('is that no more when some of its blocks have to be sent again', async () => {
    const world = await whole()
    world.put('app.zip', changed(first, { offset: 2 * MIB, length: 1 }, 1))
    world.server.faults.push({ on: 'write', then: 'cut-all' })
    const outcome = await world.run({ retries: 0, ...next })
    expect(decisionsOf(outcome)).toEqual(['continue'])
    expect(world.record('app.zip')?.whole).toBeUndefined()
    expect(kept(world)).toEqual([0, 1, 3, 4, 5, 6, 7])
  })
})

describe('a rename whose answer was lost', () => {
  test.each([10, 100_000, 3 * MIB])('and that happened is found out (%i bytes)', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.putOld('app.zip', bytesOf(2, size))
    world.server.faults.push({ on: 'replace', then: 'cut', takesEffect: true })
    const outcome = await world.run()
    expect(decisionsOf(outcome)).toEqual(['start', 'confirm'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
    expect(decisionsOf(await world.run(next))).toEqual(['skip'])
  })

  test.each([10, 100_000, 3 * MIB])('and that did not is asked for again (%i bytes)', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.putOld('app.zip', bytesOf(2, size))
    world.server.faults.push({ on: 'replace', then: 'cut' })
    const outcome = await world.run()
    expect(decisionsOf(outcome)).toEqual(['start', 'keep'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size })
  })

  test.each([10, 3 * MIB])('is found out by the next run (%i bytes)', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.server.faults.push({ on: 'replace', then: 'cut', takesEffect: true })
    expect(resultOf(await world.run({ retries: 0 }), 'app.zip').status).toBe('failed')
    const outcome = await world.run(next)
    expect(decisionsOf(outcome)).toEqual(['confirm'])
    expect(resultOf(outcome, 'app.zip')).toMatchObject({
      status: 'uploaded',
      sentBytes: 0,
      reusedBytes: size
    })
  })

  test('is settled where the server lets nobody read', async () => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.server.faults.push(
      { on: 'replace', then: 'cut', takesEffect: true },
      { on: 'openForReading', times: Infinity, then: 'permission' }
    )
    expect(resultOf(await world.run(), 'app.zip').status).toBe('uploaded')
    expect(world.isInPlace('app.zip')).toBe(true)
  })

  test.each(VERIFY_MODES)(
    'does not make the old file the new one where the part file vanished with the connection (verify: %s)',
    async verify => {
      const world = new MemoryWorld()
      world.put('app.zip', first)
      // The same size, head and tail, and another middle.
      world.putOld('app.zip', changed(first, { offset: 3 * MIB, length: 1000 }, 1))
      world.server.faults.push({ on: 'replace', then: 'cut' })
      world.server.onRequest = ({ operation }) => {
        if (operation === 'replace')
          world.clock.after(1, () =>
            world.server.partsOf('site/app.zip').forEach(part => world.server.remove(part))
          )
      }
      const outcome = await world.run({ verify })
      expect(decisionsOf(outcome)).toEqual(['start', 'confirm', 'start'])
      expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
      expect(world.isInPlace('app.zip')).toBe(true)
    }
  )

  test('of a server that swaps leaves no old copy behind', async () => {
    const world = new MemoryWorld({ canReplace: false })
    world.put('app.zip', bytesOf(1, 3 * MIB))
    world.putOld('app.zip', bytesOf(2, 3 * MIB))
    world.server.faults.push({ on: 'rename', path: /\.part$/, after: 1, then: 'cut', takesEffect: true })
    const outcome = await world.run()
    expect(resultOf(outcome, 'app.zip').status).toBe('uploaded')
    expect(world.server.names('site')).toEqual(['app.zip'])
  })

  test.each([
    ['that is continued', 3 * MIB],
    ['of a file that has another size by then', 2 * MIB]
  ])(
    'of a server that swaps, and lost between its renames, leaves no old copy behind: %s',
    async (_, size) => {
      const world = new MemoryWorld({ canReplace: false })
      world.put('app.zip', bytesOf(1, 3 * MIB))
      world.putOld('app.zip', bytesOf(2, 3 * MIB))
      // The old file is aside, the new one is not in place.
      world.server.faults.push({ on: 'rename', path: /app\.zip$/, then: 'cut', takesEffect: true })
      await world.run({ retries: 0 })
      expect(world.server.names('site').filter(name => name.endsWith('.old'))).toHaveLength(1)
      world.put('app.zip', bytesOf(size === 3 * MIB ? 1 : 3, size))
      expect(resultOf(await world.run(next), 'app.zip').status).toBe('uploaded')
      expect(world.server.names('site')).toEqual(['app.zip'])
    }
  )

  test('does not fail the file where the part file has to be sent again over several lanes', async () => {
    const world = new MemoryWorld({ reopen: 'empties' })
    world.watchesLedger = false
    world.put('app.zip', bytesOf(1, 12 * MIB))
    world.putOld('app.zip', bytesOf(2, 12 * MIB))
    world.server.faults.push({ on: 'replace', then: 'cut' })
    world.server.onRequest = ({ operation }) => {
      if (operation === 'replace')
        world.clock.after(1, () =>
          world.server.partsOf('site/app.zip').forEach(part => world.server.remove(part))
        )
    }
    await world.run({ retries: 0 })
    world.server.onRequest = () => undefined
    const outcome = await world.run({ connections: 2, ...next })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded' })
  })
})

test('nothing is reported twice, whatever was decided', async () => {
  const world = await interrupted()
  const outcome = await world.run(next)
  expect(count(outcome, 'finished')).toBe(1)
  expect(sameBytes(world.remoteBytes('app.zip'), first)).toBe(true)
})
