import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockCount } from '../../src/core/blocks.js'
import { Ledger } from '../../src/core/ledger.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { deriveStateKeys, keyedName, openSealed, sealText } from '../../src/core/seal.js'
import {
  differInTimeAlone,
  formatUploadMeta,
  parseUploadMeta,
  type UploadMeta,
  type Writer,
  writerIsGone
} from '../../src/core/upload-meta.js'

const MIB = 1024 * 1024
const keys = deriveStateKeys('the private key')
const writer: Writer = { run: '4711', attempt: 2, runner: 'runner a' }

function ledgerOf(fileSize: number, ...acknowledged: readonly number[]): Ledger {
  const ledger = new Ledger(fileSize)
  for (const index of acknowledged) ledger.acknowledge(index, `digest ${index}`)
  return ledger
}

function metaOf(...records: readonly UploadRecord[]): UploadMeta {
  const named = records.map((record, at) => [`name ${at}`, record] as const)
  return { writer, closed: false, savedAtMs: 1_700_000_000_000, records: new Map(named) }
}

function roundTrip(meta: UploadMeta): UploadMeta {
  return parseUploadMeta(formatUploadMeta(meta))
}

describe('a record that comes back', () => {
  const identity = { size: 20 * MIB, mtimeMs: 1_700_000_000_123.456, tail: 'digest of the tail' }

  test('keeps everything that was recorded', () => {
    const meta = metaOf(
      { partId: '00c0ffee', identity, ledger: ledgerOf(20 * MIB, 7, 0, 1, 2, 14, 5), publishing: false },
      { partId: 'deadbeef', identity: { size: 3, mtimeMs: 0 }, ledger: ledgerOf(3, 0), publishing: true },
      {
        partId: '0badcafe',
        identity: { size: 0, mtimeMs: 1 },
        ledger: ledgerOf(0),
        abandoned: ['00c0ffee', 'deadbeef']
      },
      {
        partId: '12345678',
        identity: { size: 0, mtimeMs: -1.5 },
        ledger: ledgerOf(0),
        published: { size: 0, mtime: 9 }
      }
    )
    expect(roundTrip(meta)).toEqual(meta)
  })

  test.each([
    { blocks: [], stored: '' },
    { blocks: [0], stored: '0' },
    { blocks: [19, 3, 4, 0, 5], stored: '0,3-5,19' },
    { blocks: [1, 0], stored: '0-1' },
    { blocks: Array.from({ length: 20 }, (_, index) => index), stored: '0-19' }
  ])('keeps blocks $blocks, written as "$stored"', ({ blocks, stored }) => {
    const meta = metaOf({ partId: '00c0ffee', identity, ledger: ledgerOf(20 * MIB, ...blocks) })
    expect(formatUploadMeta(meta)).toContain(`"blocks":"${stored}"`)
    expect(roundTrip(meta).records.get('name 0')?.ledger).toEqual(ledgerOf(20 * MIB, ...blocks))
  })

  test('keeps the order of the recent blocks', () => {
    const order = Array.from({ length: 190 }, (_, index) => (index * 37) % 200)
    const ledger = ledgerOf(200 * MIB, ...order)
    const restored = roundTrip(
      metaOf({ partId: '00c0ffee', identity: { ...identity, size: 200 * MIB }, ledger })
    )
    expect(restored.records.get('name 0')?.ledger.recent()).toEqual(order.slice(-128))
    expect(restored.records.get('name 0')?.ledger.acknowledged()).toEqual(ledger.acknowledged())
  })

  test('keeps the digest of each block with its block, in a file of 4,096', () => {
    const size = 4096 * MIB
    const ledger = ledgerOf(
      size,
      ...Array.from({ length: 4096 }, (_, index) => index).filter(index => index % 3 !== 0)
    )
    const restored = roundTrip(metaOf({ partId: '00c0ffee', identity: { ...identity, size }, ledger }))
    expect(restored.records.get('name 0')?.ledger).toEqual(ledger)
  })
})

const size = fc.oneof(fc.constantFrom(0, 1, MIB, MIB + 1), fc.nat(10 * MIB), fc.nat(64 * MIB))
const partId = fc.nat(0xffffffff).map(value => value.toString(16).padStart(8, '0'))
const steps = fc.array(fc.tuple(fc.nat(255), fc.boolean(), fc.base64String({ maxLength: 12 })), {
  maxLength: 120,
  size: 'max'
})

function arbitraryMeta(fileSize: fc.Arbitrary<number>): fc.Arbitrary<UploadMeta> {
  const record = fc
    .record({
      size: fileSize,
      mtimeMs: fc.double({ min: 0, max: 1e13, noNaN: true }),
      tail: fc.option(fc.base64String(), { nil: undefined }),
      partId,
      steps,
      rebuilt: fc.option(fc.boolean(), { nil: undefined }),
      lateWrites: fc.option(fc.boolean(), { nil: undefined }),
      whole: fc.option(fc.boolean(), { nil: undefined }),
      publishing: fc.option(fc.boolean(), { nil: undefined }),
      abandoned: fc.option(fc.array(partId, { maxLength: 3 }), { nil: undefined }),
      published: fc.option(fc.record({ size: fc.maxSafeNat(), mtime: fc.maxSafeNat() }), { nil: undefined })
    })
    .map(({ size, mtimeMs, tail, steps, ...rest }): UploadRecord => {
      const ledger = new Ledger(size)
      const count = blockCount(size)
      for (const [index, forget, digest] of count === 0 ? [] : steps) {
        if (forget) ledger.forget(index % count)
        else ledger.acknowledge(index % count, digest)
      }
      return { ...rest, identity: { size, mtimeMs, tail }, ledger }
    })
  const text = fc.string({ unit: 'binary' })
  return fc.record({
    writer: fc.record({ run: text, attempt: fc.maxSafeNat(), runner: text }),
    closed: fc.boolean(),
    savedAtMs: fc.maxSafeNat(),
    runs: fc.option(
      fc.array(
        fc.record({ startedMs: fc.maxSafeNat(), endedMs: fc.maxSafeNat(), sentBytes: fc.maxSafeNat() })
      ),
      { nil: undefined }
    ),
    records: fc
      .dictionary(
        text.map(path => keyedName(keys, path)),
        record,
        { maxKeys: 2, noNullPrototype: true }
      )
      .map(records => new Map(Object.entries(records)))
  })
}

describe('any state', () => {
  test('is the same after it was written, sealed, opened and read', () => {
    fc.assert(
      fc.property(arbitraryMeta(size), meta => {
        expect(parseUploadMeta(openSealed(keys, sealText(keys, formatUploadMeta(meta))))).toEqual(meta)
      })
    )
  })

  test('keeps blocks, digests and the end of the order of files with more blocks than a ledger remembers in order', () => {
    fc.assert(
      fc.property(arbitraryMeta(fc.integer({ min: 64 * MIB, max: 256 * MIB })), meta => {
        const restored = roundTrip(meta)
        for (const [name, { ledger }] of meta.records) {
          const found = restored.records.get(name)?.ledger ?? new Ledger(0)
          const digests = (of: Ledger) => of.acknowledged().map(index => [index, of.digestOf(index)])
          expect(digests(found)).toEqual(digests(ledger))
          expect(found.acknowledgedBytes()).toBe(ledger.acknowledgedBytes())
          const recent = ledger.recent()
          expect(found.recent().slice(found.recent().length - recent.length)).toEqual(recent)
        }
      }),
      { numRuns: 30 }
    )
  })

  test('does not open once one character of its text is another', () => {
    const change = fc.record({ at: fc.nat(), character: fc.string({ minLength: 1, maxLength: 1 }) })
    fc.assert(
      fc.property(arbitraryMeta(size), change, (meta, { at, character }) => {
        const sealed = sealText(keys, formatUploadMeta(meta))
        const position = at % sealed.length
        fc.pre(sealed[position] !== character)
        const changed = sealed.slice(0, position) + character + sealed.slice(position + 1)
        expect(() => openSealed(keys, changed)).toThrow()
      }),
      { numRuns: 500 }
    )
  })

  test('does not open with the key of another login', () => {
    fc.assert(
      fc.property(arbitraryMeta(size), fc.string(), (meta, secret) => {
        const sealed = sealText(keys, formatUploadMeta(meta))
        expect(() => openSealed(deriveStateKeys(secret), sealed)).toThrow(/seal/)
      })
    )
  })

  test('tells neither the target, nor the secret, nor the keys', () => {
    const word = fc.string({
      unit: fc.integer({ min: 0x67, max: 0x7a }).map(code => String.fromCharCode(code)),
      minLength: 12,
      maxLength: 30
    })
    fc.assert(
      fc.property(word, word, word, (secret, folder, name) => {
        const own = deriveStateKeys(secret)
        const target = keyedName(own, `releases/${folder}/${name}.zip`)
        const ledger = ledgerOf(2 * MIB, 0)
        const record = { partId: '00c0ffee', identity: { size: 2 * MIB, mtimeMs: 1 }, ledger }
        const text = sealText(
          own,
          formatUploadMeta({ writer, closed: true, savedAtMs: 1, records: new Map([[target, record]]) })
        )
        for (const told of [secret, folder, name, 'releases']) expect(text).not.toContain(told)
        for (const key of [own.seal, own.name]) {
          expect(text).not.toContain(key.export().toString('hex'))
          expect(text).not.toContain(key.export().toString('base64'))
        }
      })
    )
  })
})

describe('a text of another shape is refused', () => {
  const valid = {
    part: '00c0ffee',
    size: 4 * MIB,
    mtimeMs: 1.5,
    blocks: '0-1,3',
    digests: ['a', 'b', 'd'],
    recent: [3, 0],
    published: { size: 4 * MIB, mtime: 5 }
  }
  const meta = { writer, closed: true, savedAtMs: 1000, targets: { name: valid } }

  test('but this one is not', () => {
    const ledger = parseUploadMeta(JSON.stringify(meta)).records.get('name')?.ledger
    expect(ledger?.acknowledged()).toEqual([0, 1, 3])
    expect(ledger?.recent()).toEqual([1, 3, 0])
    expect(ledger?.digestOf(3)).toBe('d')
  })

  test.each([
    { name: 'nothing', text: '' },
    { name: 'half of it', text: JSON.stringify(meta).slice(0, 60) },
    { name: 'null', text: 'null' },
    { name: 'a list', text: '[]' },
    { name: 'a text', text: '"meta"' },
    { name: 'no writer', text: JSON.stringify({ ...meta, writer: undefined }) },
    {
      name: 'a writer without a runner',
      text: JSON.stringify({ ...meta, writer: { run: '1', attempt: 1 } })
    },
    { name: 'an attempt below zero', text: JSON.stringify({ ...meta, writer: { ...writer, attempt: -1 } }) },
    { name: 'an attempt in quotes', text: JSON.stringify({ ...meta, writer: { ...writer, attempt: '1' } }) },
    { name: 'closed in quotes', text: JSON.stringify({ ...meta, closed: 'false' }) },
    { name: 'closed missing', text: JSON.stringify({ ...meta, closed: undefined }) },
    { name: 'no time of the save', text: JSON.stringify({ ...meta, savedAtMs: undefined }) },
    { name: 'a time in quotes', text: JSON.stringify({ ...meta, savedAtMs: '1000' }) },
    { name: 'runs that are none', text: JSON.stringify({ ...meta, runs: {} }) },
    {
      name: 'a run without bytes',
      text: JSON.stringify({ ...meta, runs: [{ startedMs: 1, endedMs: 2 }] })
    },
    {
      name: 'a run with a time in words',
      text: JSON.stringify({ ...meta, runs: [{ startedMs: 'now', endedMs: 2, sentBytes: 3 }] })
    },
    { name: 'no targets', text: JSON.stringify({ ...meta, targets: undefined }) },
    { name: 'targets that are null', text: JSON.stringify({ ...meta, targets: null }) },
    { name: 'a target that is null', text: JSON.stringify({ ...meta, targets: { name: null } }) },
    { name: 'a target that is a text', text: JSON.stringify({ ...meta, targets: { name: '0-1' } }) }
  ])('$name', ({ text }) => {
    expect(() => parseUploadMeta(text)).toThrow()
  })

  test.each<{ record: Record<string, unknown> }>([
    { record: { part: '00c0ffe' } },
    { record: { part: '00C0FFEE' } },
    { record: { part: '../c0ffe' } },
    { record: { part: '../00c0ffee' } },
    { record: { part: '00c0ffee0' } },
    { record: { part: '00c0ffee\n' } },
    { record: { part: 12345678 } },
    { record: { size: -1 } },
    { record: { size: 1.5 } },
    { record: { size: 2 ** 53 } },
    { record: { size: '1' } },
    { record: { size: undefined } },
    { record: { mtimeMs: null } },
    { record: { mtimeMs: '2023' } },
    { record: { tail: 1 } },
    { record: { tail: null } },
    { record: { blocks: [0, 1, 3] } },
    { record: { blocks: undefined } },
    { record: { blocks: '0-1,4' } },
    { record: { blocks: '0-1,3,1-0' } },
    { record: { blocks: '0-1,' } },
    { record: { blocks: '0-1,-3' } },
    { record: { blocks: '0-1,3-' } },
    { record: { blocks: '0-1, 3' } },
    { record: { blocks: '0-1,0x3' } },
    { record: { blocks: '0-1,3.0' } },
    { record: { blocks: '0-9999' } },
    { record: { blocks: '0-99999999999' } },
    { record: { blocks: '0-1' } },
    { record: { blocks: '' } },
    { record: { size: 0 } },
    { record: { size: 3 * MIB } },
    { record: { digests: ['a', 'b'] } },
    { record: { digests: ['a', 'b', 'd', 'e'] } },
    { record: { digests: ['a', 'b', null] } },
    { record: { digests: ['a', 'b', 3] } },
    { record: { digests: 'abd' } },
    { record: { recent: [2] } },
    { record: { recent: [4] } },
    { record: { recent: [-1] } },
    { record: { recent: [0.5] } },
    { record: { recent: ['0'] } },
    { record: { recent: undefined } },
    { record: { rebuilt: 'yes' } },
    { record: { lateWrites: 1 } },
    { record: { whole: 1 } },
    { record: { publishing: 'yes' } },
    { record: { publishing: null } },
    { record: { abandoned: '00c0ffee' } },
    { record: { abandoned: ['deadbeef', '../c0ffe'] } },
    { record: { published: true } },
    { record: { published: { size: 4 * MIB } } },
    { record: { published: { size: -1, mtime: 5 } } },
    { record: { published: { size: 4 * MIB, mtime: '5' } } }
  ])('a record with $record', ({ record }) => {
    const text = JSON.stringify({ ...meta, targets: { name: { ...valid, ...record } } })
    expect(() => parseUploadMeta(text)).toThrow()
  })

  test.each([
    { record: { digests: ['a'] }, why: 'blocks and digests are not of one length' },
    { record: { recent: [2] }, why: 'a recent block is not among the acknowledged' },
    { record: { blocks: '0-4', digests: ['a', 'b', 'c', 'd', 'e'] }, why: 'block 4 of a file of 4 blocks' },
    {
      record: { blocks: '0,one of a name that is long' },
      why: 'blocks has a range that is none: one of a name that i'
    }
  ])('and the reason is told: $why', ({ record, why }) => {
    const text = JSON.stringify({ ...meta, targets: { name: { ...valid, ...record } } })
    expect(() => parseUploadMeta(text)).toThrow(new Error(why))
  })

  test('no text at all makes it hang or return something else', () => {
    const json = fc.json({ maxDepth: 4 })
    fc.assert(
      fc.property(fc.oneof(json, fc.string()), text => {
        expect(() => parseUploadMeta(text)).toThrow(Error)
      })
    )
  })
})

describe('the run that wrote the state', () => {
  const me: Writer = { run: '4711', attempt: 2, runner: 'mine' }
  const rows: { who: string; writer: Writer; closed: boolean; gone: boolean }[] = [
    {
      who: 'another run that ended',
      writer: { run: '1', attempt: 9, runner: 'other' },
      closed: true,
      gone: true
    },
    { who: 'this attempt, which ended', writer: { ...me, runner: 'other' }, closed: true, gone: true },
    { who: 'another run', writer: { run: '1', attempt: 1, runner: 'other' }, closed: false, gone: false },
    {
      who: 'another run on my runner',
      writer: { run: '1', attempt: 1, runner: 'mine' },
      closed: false,
      gone: false
    },
    { who: 'an earlier attempt', writer: { ...me, attempt: 1, runner: 'other' }, closed: false, gone: true },
    { who: 'an earlier attempt on my runner', writer: { ...me, attempt: 1 }, closed: false, gone: true },
    {
      who: 'a job of this attempt on another runner',
      writer: { ...me, runner: 'other' },
      closed: false,
      gone: false
    },
    { who: 'an earlier step of this job, killed', writer: { ...me }, closed: false, gone: true },
    { who: 'a later attempt', writer: { ...me, attempt: 3, runner: 'other' }, closed: false, gone: false },
    {
      who: 'a run whose number mine begins with',
      writer: { ...me, run: '471', attempt: 1 },
      closed: false,
      gone: false
    }
  ]

  test.each(rows)('$who: is gone is $gone', ({ writer, closed, gone }) => {
    expect(writerIsGone({ writer, closed, savedAtMs: 1, records: new Map() }, me)).toBe(gone)
  })
})

describe('two states', () => {
  const record: UploadRecord = {
    partId: '0123abcd',
    identity: { size: 3 * MIB, mtimeMs: 1, tail: undefined },
    ledger: ledgerOf(3 * MIB, 0)
  }
  const meta = metaOf(record)
  const run = { startedMs: 1, endedMs: 2, sentBytes: 3 }

  test('of the same records differ in time alone', () => {
    const later = { ...meta, savedAtMs: meta.savedAtMs + 1 }
    expect(differInTimeAlone(formatUploadMeta(meta), formatUploadMeta(later))).toBe(true)
    expect(differInTimeAlone(formatUploadMeta(meta), formatUploadMeta(meta))).toBe(true)
  })

  test.each([
    ['another record', metaOf(record, record)],
    ['another block', metaOf({ ...record, ledger: ledgerOf(3 * MIB, 0, 1) })],
    ['another end', { ...meta, closed: true }],
    ['another writer', { ...meta, writer: { ...writer, attempt: 3 } }],
    ['another run', { ...meta, runs: [run] }]
  ])('with %s differ in more', (_what, other) => {
    expect(differInTimeAlone(formatUploadMeta(meta), formatUploadMeta(other))).toBe(false)
  })
})
