import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UploadError } from '../../src/core/errors.js'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { PUBLISH_MODES } from '../../src/engine/context.js'
import { bytesOf, changed, sameBytes } from '../support/memory-bytes.js'
import type { Fault, Operation, ServerTraits } from '../support/memory-server.js'
import { cancelled, localOf, MemoryWorld, type RunOptions } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = [0, 1, 70_000, MIB - 1, MIB, MIB + 1, 2 * MIB + 77, 4 * MIB, 9 * MIB + 3]

const traits: fc.Arbitrary<Partial<ServerTraits>> = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  canReplace: fc.boolean(),
  renameReplaces: fc.boolean(),
  sha256: fc.constantFrom('none', 'right', 'wrong'),
  reopen: fc.oneof(
    { weight: 2, arbitrary: fc.constant('keeps' as const) },
    { weight: 1, arbitrary: fc.constantFrom('empties' as const, 'zeroes' as const) }
  ),
  chunkSize: fc.constantFrom(200_000, 256 * 1024, 512 * 1024),
  window: fc.constantFrom(1, 300_000, MIB, 4 * MIB),
  maxOpenFiles: fc.constantFrom(Infinity, Infinity, 4),
  canCopy: fc.boolean(),
  handlesOfSession: fc.constantFrom(Infinity, Infinity, 3),
  latencyMs: fc.constantFrom(0, 1, 40),
  jitterMs: fc.constantFrom(0, 7, 300),
  overtaking: fc.constantFrom<Operation[]>(
    [],
    [],
    ['write'],
    ['fstat', 'stat'],
    ['write', 'read', 'stat'],
    ['close']
  ),
  shufflesAnswers: fc.boolean(),
  lateMs: fc.constantFrom(undefined, 0, 400, 5_000),
  lateToPath: fc.boolean(),
  endsLate: fc.boolean(),
  removesUnfinished: fc.constantFrom(false, false, false, true),
  ignoresAttributes: fc.boolean()
})

const fault: fc.Arbitrary<Fault> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      after: fc.oneof(fc.nat(12), fc.nat(120)),
      on: fc.constantFrom<Operation | undefined>(
        undefined,
        undefined,
        'write',
        'replace',
        'rename',
        'close',
        'reopen'
      ),
      then: fc.constantFrom('cut' as const, 'cut-all' as const, 'silence' as const),
      takesEffect: fc.boolean()
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      on: fc.constantFrom<Operation>(
        'write',
        'replace',
        'rename',
        'close',
        'reopen',
        'connect',
        'stat',
        'remove',
        'create'
      ),
      after: fc.nat(4),
      times: fc.integer({ min: 1, max: 3 }),
      then: fc.constantFrom('connection-lost' as const, 'server-failure' as const, 'permission' as const)
    })
  }
)

/** What happens to a local file before a run, or while it is read. */
const change = fc.record({
  file: fc.nat(3),
  kind: fc.constantFrom(
    'touch' as const,
    'block' as const,
    'quiet-block' as const,
    'resize' as const,
    'rebuild' as const
  ),
  block: fc.nat(9)
})

const run = fc.record({
  changes: fc.array(change, { maxLength: 2 }),
  lost: fc.constantFrom(0, 0, 0, 1, 2),
  poisoned: fc.constantFrom(false, false, false, false, true),
  faults: fc.array(fault, { maxLength: 4 }),
  cancelAt: fc.option(fc.nat(150), { freq: 4 }),
  changeWhileRead: fc.option(fc.tuple(change, fc.nat(20)), { freq: 5 }),
  otherWriter: fc.constantFrom(false, false, false, true),
  connections: fc.integer({ min: 1, max: 4 }),
  retries: fc.nat(3),
  intervalMs: fc.constantFrom(0, 700, 60_000)
})

const scenario = fc.record({
  traits,
  sizes: fc.oneof(
    { weight: 2, arbitrary: fc.array(fc.constantFrom(...SIZES), { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(9 * MIB, 9 * MIB + 3), { minLength: 1, maxLength: 2 }) }
  ),
  /** Long runs of zeros, as in a disk image. */
  hasHoles: fc.boolean(),
  tiny: fc.constantFrom(0, 0, 0, 0, 0, 3, 70, 140),
  old: fc.constantFrom('none' as const, 'other' as const, 'alike' as const),
  verify: fc.constantFrom(...VERIFY_MODES),
  publish: fc.constantFrom(...PUBLISH_MODES),
  preserveMtime: fc.boolean(),
  runs: fc.array(run, { minLength: 1, maxLength: 4 })
})

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

let seeds = 1

/** The files of a case have the same bytes whatever was played before it. */
function prepare({ traits, sizes, hasHoles, tiny, old }: Scenario): MemoryWorld {
  seeds = 1
  const world = new MemoryWorld(traits)
  for (const [index, size] of sizes.entries()) {
    const name = `file-${index}`
    const bytes = hasHoles ? withHoles(bytesOf(seeds++, size)) : bytesOf(seeds++, size)
    world.put(name, bytes)
    if (old === 'other') world.putOld(name, bytesOf(seeds++, size + index))
    // The same head and tail, and another middle.
    if (old === 'alike' && size > 300_000) {
      world.putOld(name, changed(bytes, { offset: size >> 1, length: 1000 }, seeds++))
    }
  }
  for (let index = 0; index < tiny; index++) world.put(`tiny/file-${index}`, bytesOf(seeds++, 10))
  world.server.log.length = 0
  return world
}

/** Zeros at its head, at its tail, and where its blocks begin. */
function withHoles(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.length; at += MIB) copy.subarray(at, at + 300_000).fill(0)
  for (const block of [copy.subarray(0, MIB), copy.subarray(-MIB)]) block.fill(0)
  return copy
}

function apply(world: MemoryWorld, local: string, { kind, block }: Change, whileRead = false): void {
  const { bytes, mtimeMs } = world.disk.at(local)
  const later = mtimeMs + 1500
  const offset = Math.min(block * MIB + 5, Math.max(0, bytes.length - 1))
  const range = { offset, length: Math.min(1000, bytes.length - offset) }
  switch (kind) {
    case 'touch':
      world.disk.write(local, bytes, later)
      break
    case 'quiet-block':
      // Other bytes and the mtime of before: only a digest can tell, and only between runs.
      if (!whileRead) world.disk.write(local, changed(bytes, range, seeds++), mtimeMs)
      break
    case 'block':
      world.disk.write(local, changed(bytes, range, seeds++), later)
      break
    case 'resize':
      world.disk.write(local, bytesOf(seeds++, bytes.length >> 1), later)
      break
    case 'rebuild':
      world.disk.put(local, bytesOf(seeds++, bytes.length), { mtimeMs: later })
  }
}

async function play(
  world: MemoryWorld,
  { runs, sizes, verify, publish, preserveMtime }: Scenario
): Promise<void> {
  // A server that destroys what it acknowledged makes a saved ledger wrong for a while.
  world.watchesLedger = world.server.traits.reopen === 'keeps' && !world.server.traits.removesUnfinished
  // Where a rename is refused, the old file is moved aside for a moment.
  const refusesRename = runs.some(({ faults }) => faults.some(({ on }) => on === 'replace'))
  world.mayBeAbsent = !world.server.traits.canReplace || refusesRename
  for (const [index, step] of runs.entries()) {
    for (const each of step.changes) apply(world, localOf(`file-${each.file % sizes.length}`), each)
    world.store.lose(step.lost)
    // What an older checkpoint claims was written over since, perhaps.
    if (step.lost > 0) world.watchesLedger = false
    if (step.poisoned) world.store.text = '{"version":1,"seal":"","payload":"{}"}'
    world.server.faults.splice(0, Infinity, ...step.faults.map(each => ({ ...each })))

    const stop = new AbortController()
    const from = world.server.log.length
    world.server.onRequest = (_request, count) => {
      if (step.cancelAt !== null && count - from === step.cancelAt) stop.abort(cancelled())
    }
    let slices = 0
    world.disk.onSlice = local => {
      const [change, at] = step.changeWhileRead ?? []
      if (change !== undefined && slices++ === at) apply(world, local, change, true)
    }
    const { connections, retries, intervalMs } = step
    const writer = { run: step.otherWriter ? `other-${index}` : '100', attempt: index + 1 }
    const options: RunOptions = {
      verify,
      preserveMtime,
      publish,
      connections,
      retries,
      intervalMs,
      writer,
      signal: stop.signal
    }
    const { report } = await world.run(options)

    expect(report.results).toHaveLength(world.plan().length)
    for (const { status, error } of report.results) {
      if (status === 'failed') expect(error).toBeInstanceOf(UploadError)
    }
    expect(world.disk.open).toBe(0)
    await world.clock.untilQuiet()
    expect(world.server.living).toEqual([])
    world.checkPromises(report)
  }
}

test('whatever happens, what ends green is in place, byte for byte', async () => {
  const property = fc.asyncProperty(scenario, async each => {
    const world = prepare(each)
    await play(world, each)

    // And when nothing goes wrong any more, everything gets there.
    world.server.faults.length = 0
    world.server.onRequest = () => undefined
    world.disk.onSlice = () => undefined
    const { verify, publish } = each
    const { report } = await world.run({
      verify,
      publish,
      connections: 3,
      writer: { attempt: each.runs.length + 1 }
    })
    expect(report.results.filter(({ status }) => status === 'failed')).toEqual([])
    for (const { local, remote } of world.plan()) {
      expect(sameBytes(world.server.bytesOf(remote), world.disk.at(local).bytes)).toBe(true)
    }
  })
  const numRuns = Number(process.env.PROPERTY_RUNS ?? 200)
  // Some ten times as long as it takes.
  const interruptAfterTimeLimit = 300_000 * Math.max(1, numRuns / 200)
  await fc.assert(property, { numRuns, interruptAfterTimeLimit, markInterruptAsFailure: true })
}, 3_600_000)
