import { describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openState, writerOf } from '../../src/cli/state.js'
import { Ledger } from '../../src/core/ledger.js'
import { deriveStateKeys, sealText } from '../../src/core/seal.js'
import { formatUploadMeta, type Writer } from '../../src/core/upload-meta.js'
import { loadState } from '../../src/engine/checkpoint.js'
import { readSettings } from '../../src/run/inputs.js'
import { inputsOf } from '../action/action-yml.js'
import { MemoryStore } from '../support/memory-store.js'

const keys = deriveStateKeys('secret')

/** The names that a process would give the unfinished part file of an earlier one. */
async function claims(from: Writer, closed: boolean, by: Writer): Promise<(string | undefined)[]> {
  const record = { partId: '0123abcd', identity: { size: 3, mtimeMs: 1 }, ledger: new Ledger(3) }
  const store = new MemoryStore()
  const records = new Map([['target', record]])
  store.text = sealText(keys, formatUploadMeta({ writer: from, closed, savedAtMs: 1, records }))
  const state = { store, keys, writer: by, job: '', isOnlyWriter: true, intervalMs: 0 }
  const loaded = await loadState(state, () => undefined, new AbortController().signal)
  return [...loaded.records.values()].map(({ claim }) => claim?.id)
}

describe('a process of the command line', () => {
  const alone = writerOf('here', true)

  test('that is alone goes on for the one before it on this machine, which was killed', async () => {
    const [claim] = await claims(alone, false, writerOf('here', true))
    expect(claim).toMatch(/^[0-9a-f]{8}$/)
    expect(await claims(alone, true, writerOf('here', true))).toEqual([claim])
  })

  test('goes on with what the one before it had claimed: nobody else goes by its name', async () => {
    const cache = await mkdtemp(join(tmpdir(), 'state-'))
    try {
      const inputs = { host: 'example.com', username: 'deploy', password: 'secret', paths: 'dist' }
      const settings = readSettings(inputsOf(inputs))
      const open = () =>
        openState(settings, 'secret', { cache, own: cache, paths: ['dist'] }, text => expect(text).toBe(''))
      const first = await open()
      await first.close()
      const second = await open()
      await second.close()
      expect(second.state.writer).toEqual(first.state.writer)
      expect([first, second].map(({ state }) => state.isOnlyWriter)).toEqual([true, true])
    } finally {
      await rm(cache, { recursive: true })
    }
  })

  test.each([
    ['on another machine', () => writerOf('there', true)],
    ['beside another one', () => writerOf('here', false)]
  ])('%s leaves what may still be written alone, and claims for itself', async (_where, writer) => {
    expect(await claims(alone, false, writer())).toEqual([])
    const ids = await Promise.all(
      [alone, writer(), writerOf('here', false)].map(by => claims(alone, true, by))
    )
    expect(new Set(ids.flat()).size).toBe(3)
  })
})
