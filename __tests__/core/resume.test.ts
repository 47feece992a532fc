import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockCount } from '../../src/core/blocks.js'
import { type Identity, VERIFY_MODES, type VerifyMode } from '../../src/core/identity.js'
import { Ledger } from '../../src/core/ledger.js'
import { decideResume, type RemoteStat, type UploadRecord } from '../../src/core/resume.js'

const MIB = 1024 * 1024
/** Four blocks, the last of them five bytes long. */
const SIZE = 3 * MIB + 5
const ALL = [0, 1, 2, 3]
const identity: Identity = { size: SIZE, mtimeMs: 1_700_000_000_000.5, tail: 'tail' }
const published = { size: SIZE, mtime: 1_700_000_100 }

function record(acknowledged: readonly number[], rest: Partial<UploadRecord> = {}): UploadRecord {
  const recorded = rest.identity ?? identity
  const ledger = new Ledger(recorded.size)
  for (const index of acknowledged) ledger.acknowledge(index, `digest ${index}`)
  return { partId: '00c0ffee', identity: recorded, ledger, ...rest }
}

function file(size: number, mtime = published.mtime): RemoteStat {
  return { size, mtime, mode: 0o100644, isDirectory: false }
}

function directory(size: number): RemoteStat {
  return { size, mtime: published.mtime, mode: 0o040755, isDirectory: true }
}

interface Row {
  readonly state: string
  readonly record?: UploadRecord
  readonly today?: Identity
  readonly verify?: VerifyMode
  readonly part?: RemoteStat
  readonly target?: RemoteStat
  readonly isInReach?: boolean
  /** What the log must say. */
  readonly why?: RegExp
}

function decide(row: Row) {
  return decideResume({
    identity: row.today ?? identity,
    verify: row.verify ?? 'size',
    record: row.record,
    part: row.part,
    target: row.target,
    isInReach: row.isInReach ?? false
  })
}

describe('skips', () => {
  const rows: Row[] = [
    {
      state: 'a published file that is unchanged on both sides',
      record: record(ALL, { published }),
      target: file(SIZE)
    },
    {
      state: 'an empty one',
      record: record([], { identity: { ...identity, size: 0 }, published: { ...published, size: 0 } }),
      today: { ...identity, size: 0 },
      target: file(0)
    },
    {
      state: 'one whose part file is there as well',
      record: record(ALL, { published, publishing: true }),
      part: file(SIZE),
      target: file(SIZE)
    },
    ...VERIFY_MODES.map((verify): Row => ({
      state: `one that was built again with the same bytes, in mode ${verify}`,
      record: record(ALL, { published }),
      today: { ...identity, mtimeMs: 1_800_000_000_000 },
      verify,
      target: file(SIZE)
    }))
  ]

  test.each(rows)('$state', row => {
    expect(decide(row)).toMatchObject({ action: 'skip', why: 'it is in place and unchanged' })
  })
})

describe('starts from zero', () => {
  const rows: (Row & { discard: boolean })[] = [
    { state: 'without a record', discard: false },
    { state: 'without a record, whatever the target is', target: file(SIZE), discard: false },
    {
      state: 'when the part file is gone',
      record: record([0, 1]),
      target: file(SIZE),
      discard: false,
      why: /part file is gone/
    },
    {
      state: "when a directory has the part file's name",
      record: record([0, 1]),
      part: directory(SIZE),
      discard: false
    },
    { state: 'when nothing was acknowledged', record: record([]), part: file(SIZE), discard: true },
    { state: 'when the part file is empty', record: record([0, 1]), part: file(0), discard: true },
    {
      state: 'when the part file ends within the only acknowledged block',
      record: record([1]),
      part: file(2 * MIB - 1),
      discard: true
    },
    {
      state: 'when the part file is longer than the local file',
      record: record(ALL),
      part: file(SIZE + 1),
      discard: true,
      why: /3\.0 MiB/
    },
    {
      state: 'when the size differs',
      record: record([0, 1], { identity: { ...identity, size: SIZE - 1 } }),
      part: file(2 * MIB),
      discard: true,
      why: /size was .*3,145,732 bytes.* is .*3,145,733 bytes/
    },
    {
      state: 'when the size differs, without a part file',
      record: record([0, 1], { identity: { ...identity, size: SIZE + 1 } }),
      discard: false,
      why: /size was/
    },
    {
      state: 'when the modification time differs and is asked for',
      record: record(ALL),
      today: { ...identity, mtimeMs: identity.mtimeMs + 1 },
      verify: 'timestamp',
      part: file(SIZE),
      discard: true,
      why: /modification time was/
    },
    {
      state: 'when the tail differs and is asked for',
      record: record(ALL),
      today: { ...identity, tail: 'another' },
      verify: 'tail',
      part: file(SIZE),
      discard: true,
      why: /SHA-256/
    },
    {
      state: 'when the published file is gone from the server',
      record: record(ALL, { published }),
      discard: false,
      why: /file on the server is gone/
    },
    {
      state: 'when the published file has another size on the server',
      record: record(ALL, { published }),
      target: file(SIZE - 1),
      discard: false,
      why: /not the one that was published/
    },
    {
      state: 'when the published file has another time on the server',
      record: record(ALL, { published }),
      target: file(SIZE, published.mtime + 1),
      discard: false,
      why: /not the one that was published/
    },
    {
      state: 'when a directory took the place of the published file',
      record: record(ALL, { published }),
      target: directory(SIZE),
      discard: false
    },
    {
      state: 'when the published file is gone and its part file is not',
      record: record(ALL, { published }),
      part: file(SIZE),
      discard: true
    },
    {
      state: 'when the local file changed since it was published',
      record: record([0, 2, 3], { published }),
      target: file(SIZE),
      discard: false,
      why: /local file changed/
    },
    {
      state: 'when the local file changed since it was published, though a part file is there',
      record: record([0, 2, 3], { published }),
      part: file(SIZE),
      target: file(SIZE),
      discard: true,
      why: /local file changed/
    },
    {
      state: 'when the local file has another size than the published one',
      record: record(ALL, { published }),
      today: { ...identity, size: SIZE + 1 },
      target: file(SIZE),
      discard: false,
      why: /size was/
    },
    {
      state: 'when an empty file was published and has bytes now',
      record: record([], { identity: { ...identity, size: 0 }, published: { ...published, size: 0 } }),
      target: file(0),
      discard: false,
      why: /size was 0 B/
    },
    {
      state: 'when the part file is gone and no rename was asked for',
      record: record(ALL),
      target: file(SIZE),
      discard: false
    },
    {
      state: 'when a rename was asked for and neither file is there',
      record: record(ALL, { publishing: true }),
      discard: false
    },
    {
      state: 'when a rename was asked for and the target has another size',
      record: record(ALL, { publishing: true }),
      target: file(SIZE - 1),
      discard: false
    },
    {
      state: 'when a rename was asked for and a directory of that size is in the place of the target',
      record: record(ALL, { publishing: true }),
      target: directory(SIZE),
      discard: false
    },
    {
      state: 'when a rename was asked for and the local file changed since',
      record: record([0, 1, 3], { publishing: true }),
      target: file(SIZE),
      discard: false
    },
    {
      state: 'when a rename was asked for and the modification time differs and is asked for',
      record: record(ALL, { publishing: true }),
      today: { ...identity, mtimeMs: 0 },
      verify: 'timestamp',
      target: file(SIZE),
      discard: false,
      why: /modification time/
    },
    {
      state: 'when late writes may reach the part file',
      record: record([0, 1]),
      part: file(SIZE),
      isInReach: true,
      discard: true,
      why: /rebuilt.*lost session may still reach/
    },
    {
      state: 'when late writes may reach a part file of which nothing can be kept, which says more',
      record: record([]),
      part: file(SIZE),
      isInReach: true,
      discard: true,
      why: /nothing that was sent can be kept/
    }
  ]

  test.each(rows)('$state', ({ discard, ...row }) => {
    const decision = decide(row)
    expect(decision).toMatchObject({ action: 'start', discard })
    expect(decision.why).toMatch(row.why ?? /./)
  })
})

describe('reads the target to know whether the rename happened', () => {
  const rows: Row[] = [
    {
      state: 'when the part file is gone and the target has the size',
      record: record(ALL, { publishing: true }),
      target: file(SIZE)
    },
    {
      state: 'of an empty file',
      record: record([], { identity: { ...identity, size: 0 }, publishing: true }),
      today: { ...identity, size: 0 },
      target: file(0)
    },
    {
      state: "when a directory has the part file's name",
      record: record(ALL, { publishing: true }),
      part: directory(SIZE),
      target: file(SIZE)
    },
    {
      state: 'when the part file was whole and is gone, and no rename is recorded',
      record: record(ALL, { whole: true }),
      target: file(SIZE)
    }
  ]

  test.each(rows)('$state', row => {
    expect(decide(row)).toMatchObject({ action: 'confirm', why: 'it may have its final name already' })
  })
})

describe('keeps', () => {
  const rows: Row[] = [
    { state: 'a part file that is whole', record: record(ALL, { whole: true }), part: file(SIZE) },
    {
      state: 'one that late writes may reach: it has all that they could write',
      record: record(ALL, { whole: true }),
      part: file(SIZE),
      isInReach: true
    },
    {
      state: 'one whose rename was asked for and did not happen',
      record: record(ALL, { whole: true, publishing: true }),
      part: file(SIZE),
      target: file(SIZE)
    },
    {
      state: 'that of an empty file',
      record: record([], { identity: { ...identity, size: 0 }, whole: true }),
      today: { ...identity, size: 0 },
      part: file(0)
    }
  ]

  test.each(rows)('$state', row => {
    expect(decide(row)).toMatchObject({ action: 'keep', why: 'all of it is on the server' })
  })

  const others: Row[] = [
    {
      state: 'lacks a block of the local file',
      record: record([0, 1, 3], { whole: true }),
      part: file(SIZE)
    },
    { state: 'became shorter', record: record(ALL, { whole: true }), part: file(SIZE - 1) },
    { state: 'was not seen whole', record: record(ALL), part: file(SIZE) }
  ]

  test.each(others)('no part file that $state', row => {
    expect(decide(row)).toMatchObject({ action: 'continue' })
  })

  test('no part file of a local file that differs as the mode asks', () => {
    const row = { record: record(ALL, { whole: true }), part: file(SIZE), verify: 'timestamp' as const }
    expect(decide({ state: '', ...row, today: { ...identity, mtimeMs: 0 } })).toMatchObject({
      action: 'start',
      discard: true
    })
  })
})

describe('continues', () => {
  const rows: (Row & { kept: number[] })[] = [
    {
      state: 'with every block of a part file of full size',
      record: record(ALL),
      part: file(SIZE),
      kept: ALL
    },
    {
      state: 'with the blocks that were acknowledged, in any order',
      record: record([3, 1]),
      part: file(SIZE),
      kept: [1, 3]
    },
    {
      state: 'with a part file that ends behind them',
      record: record([0, 1]),
      part: file(2 * MIB),
      kept: [0, 1]
    },
    {
      state: 'with a part file that has bytes more than that',
      record: record([0]),
      part: file(2 * MIB + 9),
      kept: [0]
    },
    {
      state: 'without the blocks beyond the part file',
      record: record(ALL),
      part: file(2 * MIB),
      kept: [0, 1]
    },
    {
      state: 'without the block that the part file ends in',
      record: record(ALL),
      part: file(3 * MIB - 1),
      kept: [0, 1]
    },
    {
      state: 'without a last block that lacks a byte',
      record: record(ALL),
      part: file(SIZE - 1),
      kept: [0, 1, 2]
    },
    { state: 'with the last block alone', record: record([3]), part: file(SIZE), kept: [3] },
    {
      state: 'though a target is there already',
      record: record([0, 2]),
      part: file(SIZE),
      target: file(SIZE),
      kept: [0, 2]
    },
    {
      state: 'when the rename was asked for and did not happen',
      record: record(ALL, { publishing: true }),
      part: file(SIZE),
      target: file(SIZE),
      kept: ALL
    },
    {
      state: 'with the part file of an empty file',
      record: record([], { identity: { ...identity, size: 0 } }),
      today: { ...identity, size: 0 },
      part: file(0),
      kept: []
    },
    ...(['size', 'tail', 'full'] as const).map(verify => ({
      state: `in mode ${verify} whatever the modification time is`,
      record: record([0]),
      today: { ...identity, mtimeMs: 0 },
      verify,
      part: file(SIZE),
      kept: [0]
    })),
    ...(['size', 'timestamp', 'full'] as const).map(verify => ({
      state: `in mode ${verify} whatever the tail is`,
      record: record([0]),
      today: { ...identity, tail: 'another' },
      verify,
      part: file(SIZE),
      kept: [0]
    }))
  ]

  test.each(rows)('$state', ({ kept, ...row }) => {
    expect(decide(row)).toMatchObject({ action: 'continue' })
    expect(row.record?.ledger.acknowledged()).toEqual(kept)
  })

  test('and says how much is on the server', () => {
    expect(decide({ state: '', record: record([0, 1]), part: file(SIZE) }).why).toMatch(
      /2\.0 MiB of 3\.0 MiB/
    )
  })
})

describe('for any evidence', () => {
  /** Mostly the one value, so that the states in which everything fits come up often. */
  const mostly = <T>(usual: T, ...others: readonly T[]) =>
    fc.oneof(
      { weight: 5, arbitrary: fc.constant(usual) },
      { weight: 1, arbitrary: fc.constantFrom(...others) }
    )
  const around = (size: number) => mostly(size, size + 1, Math.max(0, size - 1), Math.max(0, size - MIB), 0)
  const time = mostly(1000, 2000)
  const identityAround = (size: number) =>
    fc.record({ size: around(size), mtimeMs: time, tail: mostly<string | undefined>('a', 'b', undefined) })
  const fileAround = (size: number): fc.Arbitrary<RemoteStat | undefined> =>
    fc.option(
      fc.record({
        size: around(size),
        mtime: time,
        mode: fc.constant(0o644),
        isDirectory: fc.constantFrom(false, false, true)
      }),
      { nil: undefined, freq: 2 }
    )
  const recordAround = (size: number) =>
    fc
      .record({
        identity: identityAround(size),
        forgotten: mostly<number[]>([], [0], [1], [3], [0, 1, 2], [0, 1, 2, 3]),
        whole: fc.constantFrom(true, false, undefined),
        publishing: fc.constantFrom(true, false, undefined),
        published: fc.option(fc.record({ size: around(size), mtime: time }), { nil: undefined, freq: 1 })
      })
      .map(({ forgotten, ...rest }) => {
        const blocks = Array.from({ length: blockCount(rest.identity.size) }, (_, index) => index)
        return record(
          blocks.filter(index => !forgotten.includes(index)),
          rest
        )
      })
  const evidence = fc.oneof(fc.constantFrom(0, SIZE), fc.nat(8 * MIB)).chain(size =>
    fc.record({
      identity: identityAround(size),
      verify: fc.constantFrom(...VERIFY_MODES),
      record: fc.option(recordAround(size), { nil: undefined }),
      part: fileAround(size),
      target: fileAround(size),
      isInReach: fc.boolean()
    })
  )

  const runs = { numRuns: 1000 }

  test('a continued upload is out of reach of late writes, and keeps a block, none beyond the end of its part file', () => {
    fc.assert(
      fc.property(evidence, given => {
        if (decideResume(given).action !== 'continue') return
        expect(given.isInReach).toBe(false)
        expect(given.part?.isDirectory).toBe(false)
        expect(given.record?.ledger.acknowledgedEnd()).toBeLessThanOrEqual(given.part?.size ?? -1)
        expect(given.part?.size).toBeLessThanOrEqual(given.identity.size)
        if (given.identity.size > 0) expect(given.record?.ledger.acknowledgedBytes()).toBeGreaterThan(0)
      }),
      runs
    )
  })

  test('nothing is continued or confirmed whose identity differs by the mode', () => {
    fc.assert(
      fc.property(evidence, given => {
        if (!['continue', 'confirm'].includes(decideResume(given).action)) return
        const { identity: today, verify } = given
        const then = given.record?.identity
        expect(then?.size).toBe(today.size)
        if (verify === 'timestamp') expect(then?.mtimeMs).toBe(today.mtimeMs)
        if (verify === 'tail') expect(then?.tail).toBe(today.tail)
      }),
      runs
    )
  })

  test('nothing is skipped that is not published, whole, unchanged here and as it was left there', () => {
    fc.assert(
      fc.property(evidence, given => {
        if (decideResume(given).action !== 'skip') return
        expect(given.record?.published).toBeDefined()
        expect(given.target).toMatchObject({ ...given.record?.published, isDirectory: false })
        expect(given.record?.identity.size).toBe(given.identity.size)
        expect(given.record?.ledger.missing()).toEqual([])
      }),
      runs
    )
  })

  test('a target is read only after the part file was whole, for a file of that size', () => {
    fc.assert(
      fc.property(evidence, given => {
        if (decideResume(given).action !== 'confirm') return
        expect(given.record?.whole === true || given.record?.publishing === true).toBe(true)
        expect(given.record?.published).toBeUndefined()
        expect(given.record?.ledger.complete()).toBe(true)
        expect(given.target).toMatchObject({ size: given.identity.size, isDirectory: false })
        expect(given.part?.isDirectory ?? true).toBe(true)
      }),
      runs
    )
  })

  test('a part file is discarded only if it is one and a record names it', () => {
    fc.assert(
      fc.property(evidence, given => {
        const decision = decideResume(given)
        if (decision.action !== 'start') return
        expect(decision.discard).toBe(given.record !== undefined && given.part?.isDirectory === false)
      }),
      runs
    )
  })

  test('a ledger never gains a block, and loses one only when the upload goes on without it', () => {
    fc.assert(
      fc.property(evidence, given => {
        const before = given.record?.ledger.acknowledged() ?? []
        const { action } = decideResume(given)
        const after = given.record?.ledger.acknowledged() ?? []
        expect(before).toEqual(expect.arrayContaining(after))
        if (action === 'skip' || action === 'confirm') expect(after).toEqual(before)
      }),
      runs
    )
  })
})
