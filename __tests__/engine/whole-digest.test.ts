import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf, digestOf } from '../support/memory-bytes.js'
import { cancelled, localOf, MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZE = 10 * MIB
const wanted = { wholeDigests: true }

function open(size = SIZE): MemoryWorld {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, size))
  return world
}

async function elapsed(world: MemoryWorld, work: () => Promise<unknown>): Promise<number> {
  const startedMs = world.clock.now()
  await work()
  return world.clock.now() - startedMs
}

describe.each([0, 10, MIB, SIZE])('the SHA-256 of a file of %i bytes', size => {
  test.each(VERIFY_MODES)('is told where it is wanted (verify: %s)', async verify => {
    const world = open(size)
    const uploaded = await world.run({ verify, ...wanted })
    expect(resultOf(uploaded, 'app.zip')).toMatchObject({
      status: 'uploaded',
      digest: digestOf(world.localBytes('app.zip'))
    })
    const skipped = await world.run({ verify, ...wanted, writer: { attempt: 2 } })
    expect(resultOf(skipped, 'app.zip')).toMatchObject({
      status: 'skipped',
      digest: digestOf(world.localBytes('app.zip'))
    })
  })
})

describe('the SHA-256 of a file of many blocks', () => {
  test.each(VERIFY_MODES)('is told otherwise only where it was verified (%s)', async verify => {
    const world = open()
    const outcome = await world.run({ verify })
    expect(resultOf(outcome, 'app.zip').digest).toBe(
      verify === 'full' ? digestOf(world.localBytes('app.zip')) : undefined
    )
    const again = await world.run({ verify, writer: { attempt: 2 } })
    expect(resultOf(again, 'app.zip')).toMatchObject({ status: 'skipped', digest: undefined })
  })

  test('is made while the file is sent', async () => {
    const slowly = () => {
      const world = open()
      world.server.traits.latencyMs = 1_000
      world.disk.digestMs = 1_000
      return world
    }
    const [without, world] = [slowly(), slowly()]
    const sending = await elapsed(without, () => without.run())
    expect(await elapsed(world, () => world.run(wanted))).toBe(sending)
  })

  test('is not made where nobody wants it', async () => {
    const world = open()
    world.disk.digestMs = 10_000
    const sending = await elapsed(world, () => world.run())
    expect(sending).toBeLessThan(20_000)
    expect(await elapsed(world, () => world.clock.untilQuiet())).toBeLessThan(1_000)
  })

  test('does not hold up a run that is told to stop', async () => {
    const world = open()
    world.disk.digestMs = 60_000
    const stop = new AbortController()
    world.server.onRequest = ({ operation }) => {
      if (operation === 'close') stop.abort(cancelled())
    }
    const outcome = await world.run({ ...wanted, signal: stop.signal })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('cancelled')
    expect(resultOf(outcome, 'app.zip').elapsedMs).toBeLessThan(5_000)
  })

  test('is not that of a file which changed while it was made', async () => {
    const world = open()
    await world.run()
    world.disk.digestMs = 1_000
    world.onEvent = ({ type }) => {
      if (type === 'decided') world.disk.write(localOf('app.zip'), bytesOf(2, SIZE), 5)
    }
    const outcome = await world.run({ ...wanted, writer: { attempt: 2 } })
    expect(resultOf(outcome, 'app.zip').error?.code).toBe('source-changed')
  })
})

test('a file of one block is not read again for it', async () => {
  const world = open(MIB)
  world.disk.digestMs = 60_000
  expect(await elapsed(world, () => world.run(wanted))).toBeLessThan(1_000)
})
