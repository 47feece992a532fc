import { describe, expect, test } from '@jest/globals'
import { claimIds } from '../../src/core/claim.js'
import { Ledger } from '../../src/core/ledger.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { deriveStateKeys, sealText } from '../../src/core/seal.js'
import { formatUploadMeta } from '../../src/core/upload-meta.js'
import { Checkpoints, closeState, loadState } from '../../src/engine/checkpoint.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryStore } from '../support/memory-store.js'

const MIB = 1024 * 1024
const keys = deriveStateKeys('secret')
const writer = { run: '100', attempt: 1, runner: 'runner' }

function record(published = false): UploadRecord {
  return {
    partId: '0123abcd',
    identity: { size: 3 * MIB, mtimeMs: 1, tail: undefined },
    ledger: new Ledger(3 * MIB),
    ...(published ? { published: { size: 3 * MIB, mtime: 5 } } : {})
  }
}

function open(intervalMs = 60_000) {
  const clock = new MemoryClock()
  const store = new MemoryStore()
  const records = new Map([['target', record()]])
  const at: number[] = []
  const startedMs = clock.now()
  store.onSave = () => at.push(clock.now() - startedMs)
  const checkpoints = new Checkpoints(
    { store, keys, writer, job: '', isOnlyWriter: false, intervalMs },
    () => ({ records }),
    clock
  )
  const ended = new AbortController()
  const acknowledge = (index: number) => records.get('target')?.ledger.acknowledge(index, `digest ${index}`)
  const at_ = (milliseconds: number, happens: () => unknown) =>
    void clock.after(milliseconds, () => void happens())
  return { clock, store, records, at, checkpoints, ended, acknowledge, later: at_ }
}

describe('checkpoints', () => {
  test.each([
    [60_000, [10_000, 70_000, 130_000]],
    [20_000, [10_000, 30_000, 50_000]],
    [4_000, [4_000, 8_000, 12_000]]
  ])('with an interval of %i ms are saved at %j', async (intervalMs, expected) => {
    const { clock, store, at, checkpoints, ended, records, later } = open(intervalMs)
    for (const [index, milliseconds] of expected.entries()) {
      later(milliseconds - 1, () => records.set(`target ${index}`, record()))
    }
    later((expected.at(-1) ?? 0) + 1, () => ended.abort())
    await clock.until(checkpoints.run(ended.signal))
    expect(at).toEqual(expected)
    expect(store.meta(keys).closed).toBe(false)
  })

  test.each([
    [60_000, [0]],
    [0, []]
  ])(
    'out of turn are saved at once, unless only the end is saved (interval: %i ms)',
    async (intervalMs, expected) => {
      const { clock, store, at, checkpoints, ended } = open(intervalMs)
      await clock.until(checkpoints.now(ended.signal))
      expect(at).toEqual(expected)
      if (intervalMs > 0) expect(store.meta(keys).closed).toBe(false)
    }
  )

  test('that a store rejects end nothing, and are tried again', async () => {
    const { clock, store, at, checkpoints, ended, later } = open()
    store.pause = () => Promise.reject(new Error('no store'))
    later(60_000, () => (store.pause = () => Promise.resolve()))
    later(140_000, () => ended.abort())
    await clock.until(checkpoints.run(ended.signal))
    expect(at).toEqual([10_000, 70_000])
    expect(store.saves).toHaveLength(1)
  })

  test('with an interval of 0 are only saved at the end', async () => {
    const { clock, store, checkpoints, ended } = open(0)
    await clock.until(checkpoints.run(ended.signal))
    expect(store.saves).toEqual([])
    await clock.until(checkpoints.close())
    expect(store.meta(keys).closed).toBe(true)
  })

  test('are not saved when nothing changed', async () => {
    const { clock, at, checkpoints, ended, acknowledge, later } = open(10_000)
    later(35_000, () => acknowledge(1))
    later(100_000, () => ended.abort())
    await clock.until(checkpoints.run(ended.signal))
    expect(at).toEqual([10_000, 40_000])
  })

  test('are not saved while there is nothing to save: they would hide what an earlier run left', async () => {
    const { clock, store, checkpoints, ended, records, later } = open()
    records.clear()
    later(15_000, () => ended.abort())
    await clock.until(checkpoints.run(ended.signal).then(() => checkpoints.close()))
    expect(store.saves).toEqual([])
  })

  test('are never two at once, and the last one waits for the one under way and says that the run has ended', async () => {
    const { clock, store, checkpoints, ended, acknowledge, later } = open()
    store.pause = () => new Promise(resolve => clock.after(30_000, resolve))
    later(12_000, () => acknowledge(2))
    later(15_000, () => ended.abort())
    const running = checkpoints.run(ended.signal)
    later(15_001, () => checkpoints.close())
    await clock.until(running)
    await clock.untilQuiet()
    expect(store.mostSaving).toBe(1)
    expect(store.saves).toHaveLength(2)
    expect(store.meta(keys).closed).toBe(true)
    expect(store.meta(keys).records.get('target')?.ledger.acknowledged()).toEqual([2])
  })

  test('give a save up when the run ends', async () => {
    const { clock, store, checkpoints, ended, later } = open()
    store.pause = signal =>
      new Promise(resolve => {
        if (signal === undefined) resolve()
        else signal.addEventListener('abort', () => resolve())
      })
    later(15_000, () => ended.abort())
    const startedMs = clock.now()
    await clock.until(checkpoints.run(ended.signal).then(() => checkpoints.close()))
    expect(clock.now() - startedMs).toBe(15_000)
    expect(store.meta(keys).closed).toBe(true)
  })
})

test('where nothing is kept, nothing is found and nothing fails', async () => {
  const { clock, records } = open()
  const state = { store: undefined, keys, writer, job: '', isOnlyWriter: false, intervalMs: 1_000 }
  const found = await loadState(state, () => undefined, new AbortController().signal)
  expect([...found.records]).toEqual([])
  await clock.until(new Checkpoints(state, () => ({ records }), clock).close())
})

describe('loading', () => {
  async function load(text: string | undefined, as = writer) {
    const store = new MemoryStore()
    store.text = text
    const events: UploadEvent[] = []
    const { records } = await loadState(
      { store, keys, writer: as, job: '', isOnlyWriter: false, intervalMs: 0 },
      event => void events.push(event),
      new AbortController().signal
    )
    return { names: [...records.keys()].sort(), events: events.map(({ type }) => type) }
  }

  const records = new Map([
    ['unfinished', record()],
    ['done', record(true)]
  ])
  const text = (closed: boolean) =>
    sealText(keys, formatUploadMeta({ writer, closed, savedAtMs: 1000, records }))

  test('finds nothing the first time', async () => {
    expect(await load(undefined)).toEqual({ names: [], events: [] })
  })

  test('finds what a run that has ended left', async () => {
    expect(await load(text(true), { run: '200', attempt: 1, runner: 'other' })).toEqual({
      names: ['done', 'unfinished'],
      events: []
    })
  })

  describe('of a run that has ended', () => {
    async function loaded(closed: boolean, isOnlyWriter: boolean) {
      const store = new MemoryStore()
      store.text = text(closed)
      const state = {
        store,
        keys,
        writer: { ...writer, attempt: 3 },
        job: 'deploy',
        isOnlyWriter,
        intervalMs: 0
      }
      return (await loadState(state, () => undefined, new AbortController().signal)).records
    }

    test.each([true, false])('claims what is unfinished, and that alone (only writer: %s)', async isOnly => {
      const records = await loaded(true, isOnly)
      const ids = claimIds('0123abcd', { run: '100', job: 'deploy', attempt: 3 })
      expect(ids.earlier).toHaveLength(2)
      expect(records.get('unfinished')).toMatchObject({
        partId: '0123abcd',
        claim: { ...ids, isOwn: isOnly }
      })
      expect(records.get('done')?.claim).toBeUndefined()
    })

    test('expects late writes to what is unfinished where it was killed', async () => {
      const of = async (closed: boolean) =>
        [...(await loaded(closed, false)).values()].map(({ lateWrites }) => lateWrites)
      expect(await of(false)).toEqual([true, undefined])
      expect(await of(true)).toEqual([undefined, undefined])
    })
  })

  test.each([
    ['a later attempt of the run', { ...writer, attempt: 2, runner: 'other' }],
    ['the same runner in the run', writer]
  ])('finds what was not closed in %s', async (_who, as) => {
    expect((await load(text(false), as)).names).toEqual(['done', 'unfinished'])
  })

  test.each([
    ['another run', { run: '200', attempt: 2, runner: 'runner' }],
    ['another runner of the same attempt', { ...writer, runner: 'other' }],
    ['an earlier attempt', { ...writer, attempt: 0, runner: 'other' }]
  ])('leaves alone what may still be written, seen from %s', async (_who, as) => {
    expect(await load(text(false), as)).toEqual({ names: ['done'], events: ['notice'] })
  })

  test.each([
    ['no JSON', '?'],
    ['no envelope', '[]'],
    [
      'another login',
      sealText(deriveStateKeys('other'), formatUploadMeta({ writer, closed: true, savedAtMs: 1000, records }))
    ],
    ['changed on the way', text(true).replace('unfinished', 'unf1nished')],
    ['another shape', sealText(keys, '{"writer":1}')],
    [
      'no digests',
      sealText(
        keys,
        formatUploadMeta({ writer, closed: true, savedAtMs: 1000, records }).replace(
          '"blocks":""',
          '"blocks":"0-1"'
        )
      )
    ],
    [
      'blocks beyond the file',
      sealText(
        keys,
        formatUploadMeta({ writer, closed: true, savedAtMs: 1000, records }).replace(
          '"blocks":""',
          '"blocks":"7"'
        )
      )
    ]
  ])('is one warning for %s', async (_what, poisoned) => {
    expect(await load(poisoned)).toEqual({ names: [], events: ['warning'] })
  })
})

describe('loading from more than one place', () => {
  const saved = (savedAtMs: number, run: string, name: string, closed = true) =>
    sealText(
      keys,
      formatUploadMeta({
        writer: { ...writer, run },
        closed,
        savedAtMs,
        records: new Map([[name, record()]])
      })
    )

  async function load(texts: readonly string[]) {
    const store = new MemoryStore()
    store.elsewhere = [...texts]
    const events: UploadEvent[] = []
    const state = { store, keys, writer, job: '', isOnlyWriter: false, intervalMs: 0 }
    const emit = (event: UploadEvent) => void events.push(event)
    const { records } = await loadState(state, emit, new AbortController().signal)
    const told = events.flatMap(event => ('text' in event ? [event.text] : []))
    return { names: [...records.keys()], events: events.map(({ type }) => type), told }
  }

  const [older, newer] = [saved(1000, '99', 'older'), saved(2000, '98', 'newer')]
  const open = saved(3000, '97', 'open', false)

  test.each([[[older, newer]], [[newer, older]]])('takes what was saved last', async texts => {
    expect(await load(texts)).toMatchObject({ names: ['newer'], events: [] })
  })

  test('takes what this run saved, whatever others saved since', async () => {
    expect((await load([newer, saved(500, '100', 'mine'), saved(400, '100', 'mine before')])).names).toEqual([
      'mine'
    ])
  })

  test.each([[[older, 'poison']], [['poison', older]]])('takes what opens, with one warning', async texts => {
    expect(await load(texts)).toMatchObject({ names: ['older'], events: ['warning'] })
  })

  test('is one warning when nothing opens', async () => {
    expect(await load(['poison', '{}'])).toMatchObject({ names: [], events: ['warning'] })
  })

  test.each([
    [['poison'], /^The saved \.upload\.meta does not open \(.+\); every file is looked at anew\.$/],
    [['poison', older], /^The saved \.upload\.meta does not open \(.+\); another copy is used\.$/],
    [[open], /^Run 97 may still be uploading to this target; its unfinished files are not continued\.$/]
  ])('says what follows from it', async (texts, told) => {
    expect((await load(texts)).told).toEqual([expect.stringMatching(told)])
  })
})

describe('closing the state of a killed run', () => {
  test('notes its end, and only once', async () => {
    const open = sealText(
      keys,
      formatUploadMeta({ writer, closed: false, savedAtMs: 1000, records: new Map([['a', record()]]) })
    )
    const closed = closeState(keys, open, 2000)
    const store = new MemoryStore()
    store.text = closed
    expect(store.meta(keys)).toMatchObject({ closed: true, savedAtMs: 2000, writer })
    expect([...store.meta(keys).records]).toEqual([['a', expect.objectContaining({ lateWrites: true })]])
    expect(closeState(keys, closed ?? '', 3000)).toBeUndefined()
    await Promise.resolve()
  })

  test('does nothing with what does not open', () => {
    expect(closeState(keys, 'poison', 2000)).toBeUndefined()
  })
})
