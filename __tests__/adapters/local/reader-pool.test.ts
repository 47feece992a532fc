import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import type { ReaderPool } from '../../../src/adapters/local/reader-pool.js'
import { writeArtifact } from '../../support/artifact.js'

/** What the threads run in place of `read-worker.mjs`. */
let program = ''

jest.unstable_mockModule('node:worker_threads', () => ({
  Worker: class extends Worker {
    constructor(_program: URL, options: WorkerOptions) {
      super(new URL(`data:text/javascript,${encodeURIComponent(program)}`), options)
    }
  }
}))
const pools = await import('../../../src/adapters/local/reader-pool.js')
const { openLongSource } = await import('../../../src/adapters/local/long-source.js')

const MIB = 1024 * 1024
const READ = { fd: 0, position: 0, length: 1, at: undefined, hashed: false, last: true }

let pool: ReaderPool

beforeEach(() => {
  pool = new pools.ReaderPool({ hashesBlocks: true })
})
afterEach(() => pool.close())

describe('a file that is hashed as a whole while others are sent', () => {
  /** A read of two bytes is one without end: its thread answers nothing from then on. */
  const ENDLESS = { ...READ, length: 2 }

  beforeEach(() => {
    program = `
      import { parentPort } from 'node:worker_threads'
      let isBusy = false
      parentPort.on('message', ({ id, length }) => {
        isBusy ||= length === 2
        if (!isBusy) parentPort.postMessage({ id, bytesRead: 1 })
      })`
  })

  test('does not wait for what is read to be sent', async () => {
    pool
      .openStream()(ENDLESS)
      .catch(() => undefined)
    expect(await pool.openLongDigest()(READ)).toMatchObject({ bytesRead: 1 })
  })

  test('does not keep the others waiting', async () => {
    pool
      .openLongDigest()(ENDLESS)
      .catch(() => undefined)
    expect(await pool.openStream()(READ)).toMatchObject({ bytesRead: 1 })
  })
})

describe('a reader that ends', () => {
  test.each([
    ['throws as it is loaded', 'throw new Error("no memory")', 'no memory'],
    ['exits', 'process.exit()', 'the thread that reads local files ended']
  ])('because it %s: all that is asked of it fails', async (_, ending, message) => {
    program = ending
    const read = pool.openStream()
    await expect(Promise.all([read(READ), read(READ)])).rejects.toThrow(message)
    await expect(read(READ)).rejects.toThrow(message)
  })

  test('is replaced by another one', async () => {
    program = `
      import { parentPort, workerData } from 'node:worker_threads'
      const earlier = Atomics.add(new Int32Array(workerData), 0, 1)
      if (earlier === 0) throw new Error('no memory')
      parentPort.on('message', ({ id }) => parentPort.postMessage({ id, bytesRead: 1 }))`
    await expect(pool.openStream()(READ)).rejects.toThrow('no memory')
    for (const read of [pool.openStream(), pool.openDigest(), pool.openLongDigest()]) {
      expect(await read(READ)).toMatchObject({ bytesRead: 1 })
    }
  })

  test('keeps no memory from those who read later', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reader-pool-'))
    const local = join(directory, 'app.bin')
    await writeArtifact(local, MIB)
    program = 'throw new Error("no memory")'
    const source = await openLongSource({ local, remote: 'x', size: MIB }, pool)
    for (let times = 0; times < 10; times++) {
      const reading = async () => {
        for await (const slice of source.stream({ offset: 0, length: MIB }).slices)
          expect(slice).toBeDefined()
      }
      const failure = {
        code: 'source-unreadable',
        message: expect.stringMatching(/^read .*app\.bin: .*no memory$/)
      }
      await expect(reading()).rejects.toMatchObject(failure)
      await expect(source.digest({ offset: 0, length: MIB })).rejects.toMatchObject(failure)
    }
    await source.close()
    await rm(directory, { recursive: true })
  })
})
