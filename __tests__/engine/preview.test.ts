import { describe, expect, test } from '@jest/globals'
import { PUBLISH_MODES } from '../../src/engine/context.js'
import type { Operation } from '../support/memory-server.js'
import { bytesOf, changed } from '../support/memory-bytes.js'
import {
  cancelled,
  decisionsOf,
  localOf,
  MemoryWorld,
  resultOf,
  type Outcome
} from '../support/memory-world.js'

const MIB = 1024 * 1024
const LOOKING: readonly Operation[] = ['connect', 'stat', 'kindOf', 'list']

/** A dry run, after which the server, the state and the connections are as before. */
async function previewOf(world: MemoryWorld): Promise<Outcome> {
  const files = () => [...world.server.files].map(([path, inode]) => [path, inode, inode.size, inode.mtime])
  const [before, saves, text, requests] = [
    files(),
    world.store.saves.length,
    world.store.text,
    world.server.log.length
  ]
  const directories = [...world.server.directories]
  const outcome = await world.run({ isDryRun: true, writer: { attempt: 2 } })
  const asked = world.server.log.slice(requests).map(({ operation }) => operation)
  expect(asked.filter(operation => !LOOKING.includes(operation))).toEqual([])
  expect(files()).toEqual(before)
  expect([...world.server.directories]).toEqual(directories)
  expect([world.store.saves.length, world.store.text]).toEqual([saves, text])
  expect(world.server.living).toEqual([])
  expect(world.disk.open).toBe(0)
  return outcome
}

/** What is before a dry run, and what that decides. */
const CASES: readonly (readonly [string, (world: MemoryWorld) => Promise<unknown>, string])[] = [
  ['nothing is known', () => Promise.resolve(), 'start'],
  ['an upload was interrupted', world => world.interrupt(5 * MIB), 'continue'],
  [
    'an upload was interrupted and a block changed since',
    async world => {
      await world.interrupt(5 * MIB)
      world.put('app.zip', changed(world.localBytes('app.zip'), { offset: 100, length: 10 }, 1))
    },
    'continue'
  ],
  [
    'an upload was interrupted and the file has another size since',
    async world => {
      await world.interrupt(5 * MIB)
      world.put('app.zip', bytesOf(3, 2 * MIB))
    },
    'start'
  ],
  ['it is in place', world => world.run(), 'skip'],
  [
    'it is in place and the local file changed since',
    async world => {
      await world.run()
      world.put('app.zip', bytesOf(2, 9 * MIB + 5))
    },
    'start'
  ]
]

describe('a dry run decides as the run after it, and changes nothing', () => {
  test.each(CASES)('when %s', async (_, prepare, action) => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, 9 * MIB + 5))
    await prepare(world)
    const previewed = await previewOf(world)
    expect(decisionsOf(previewed)).toEqual([action])
    const planned = resultOf(previewed, 'app.zip')
    expect(planned).toMatchObject({ status: action === 'skip' ? 'skipped' : 'planned', sentBytes: 0 })

    const outcome = await world.run({ writer: { attempt: 2 } })
    expect(decisionsOf(outcome)).toEqual([action])
    const { status, sentBytes, reusedBytes } = resultOf(outcome, 'app.zip')
    expect(status).toBe(action === 'skip' ? 'skipped' : 'uploaded')
    expect(planned.reusedBytes).toBe(reusedBytes)
    expect(planned.file.size - planned.reusedBytes).toBe(sentBytes)
  })
})

test('a dry run asks for as much evidence as the run after it', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 9 * MIB))
  await world.interrupt(5 * MIB)
  world.put('app.zip', bytesOf(1, 9 * MIB), world.clock.now() + 60_000)
  const options = { verify: 'timestamp', writer: { attempt: 2 } } as const
  expect(decisionsOf(await world.run({ ...options, isDryRun: true }))).toEqual(['start'])
  expect(decisionsOf(await world.run(options))).toEqual(['start'])
})

test.each(PUBLISH_MODES)('a dry run makes no last file (publish: %s)', async publish => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 3 * MIB))
  const last = { name: 'sums', size: 10, make: () => bytesOf(2, 10) }
  const outcome = await world.run({ isDryRun: true, publish, last })
  expect(outcome.report.results).toMatchObject([{ file: { remote: 'site/app.zip' }, status: 'planned' }])
  expect([...world.disk.files.keys()]).toEqual([localOf('app.zip')])
})

test('a dry run of many files uses one connection', async () => {
  const world = new MemoryWorld()
  for (let index = 0; index < 30; index++) world.put(`${index % 7}/${index}`, bytesOf(index, 2 * MIB))
  const outcome = await world.run({ isDryRun: true, connections: 4 })
  expect(outcome.report.results.map(({ status }) => status)).toEqual(Array(30).fill('planned'))
  expect(world.server.sessions).toHaveLength(1)
})

test('a dry run knows no digest of a file that changed', async () => {
  const world = new MemoryWorld()
  world.put('notes.txt', bytesOf(1, 1000))
  await world.run()
  world.put('notes.txt', bytesOf(2, 999))
  const outcome = await world.run({ isDryRun: true, writer: { attempt: 2 } })
  expect(resultOf(outcome, 'notes.txt')).toMatchObject({ status: 'planned', digest: undefined })
})

test('a dry run fails where a run would: a directory is in the place of a file', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 3 * MIB))
  world.server.put('site/app.zip/below', bytesOf(2, 10))
  const outcome = await previewOf(world)
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'wrong-type' } })
})

test('a dry run that loses its connection looks again', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 3 * MIB))
  world.server.faults.push({ on: 'stat', then: 'cut' })
  expect(decisionsOf(await world.run({ isDryRun: true }))).toEqual(['start'])
})

test('a dry run that is told to stop saves nothing either', async () => {
  const world = new MemoryWorld()
  world.put('app.zip', bytesOf(1, 3 * MIB))
  const stop = new AbortController()
  world.server.onRequest = ({ operation }) => {
    if (operation === 'connect') stop.abort(cancelled())
  }
  const outcome = await world.run({ isDryRun: true, signal: stop.signal })
  expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'failed', error: { code: 'cancelled' } })
  expect(world.store.saves).toEqual([])
})
