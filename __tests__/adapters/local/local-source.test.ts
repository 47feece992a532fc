import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalSource } from '../../../src/adapters/local/local-source.js'
import { ReaderPool } from '../../../src/adapters/local/reader-pool.js'
import { NOT_HASHED } from '../../../src/core/ledger.js'
import type { Source } from '../../../src/engine/ports.js'

const KIB = 1024
const MIB = 1024 * KIB

let directory: string
let readers: ReaderPool

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'local-source-'))
  readers = new ReaderPool({ hashesBlocks: true })
})
afterAll(async () => {
  await readers.close()
  await rm(directory, { recursive: true })
})

async function open(name: string): Promise<Source> {
  const local = join(directory, name)
  const { size } = await stat(local)
  return openLocalSource({ local, remote: name, size }, readers)
}

async function put(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(join(directory, name), bytes)
  return createHash('sha256').update(bytes).digest('base64')
}

describe('the digest of a whole file', () => {
  test.each([0, 1, 64 * KIB, 64 * KIB + 1, 4 * MIB, 4 * MIB + 1, 21 * MIB + 5])('of %i bytes', async size => {
    const expected = await put('whole', randomBytes(size))
    const source = await open('whole')
    expect(await source.wholeDigest()).toBe(expected)
    await source.close()
  })

  test('is that of the blocks sent meanwhile', async () => {
    const bytes = randomBytes(30 * MIB)
    const expected = await put('sent', bytes)
    const source = await open('sent')
    const digest = source.wholeDigest()
    const sent = createHash('sha256')
    for await (const slice of source.stream({ offset: 0, length: bytes.length }).slices) sent.update(slice)
    expect([await digest, sent.digest('base64')]).toEqual([expected, expected])
    await source.close()
  })

  test('ends when the file is closed', async () => {
    await put('closed', randomBytes(40 * MIB))
    const source = await open('closed')
    const digest = source.wholeDigest().then(
      () => 'settled',
      () => 'refused'
    )
    await source.close()
    expect(await digest).toBe('refused')
  })
})

describe('where nobody asks for the digests of blocks', () => {
  const sent = async (name: string, length: number) => {
    const { size } = await stat(join(directory, name))
    const unhashing = new ReaderPool({ hashesBlocks: false })
    const source = await openLocalSource({ local: join(directory, name), remote: name, size }, unhashing)
    const stream = source.stream({ offset: 0, length })
    const slices = []
    for await (const slice of stream.slices) slices.push(Buffer.from(slice))
    const digests = [await stream.digest(), await source.wholeDigest()]
    await source.close()
    await unhashing.close()
    return { bytes: Buffer.concat(slices), digests }
  }

  test('one is not hashed, and the bytes and the digest of the file are the same', async () => {
    const whole = await put('long', randomBytes(3 * MIB))
    const { bytes, digests } = await sent('long', MIB)
    expect(bytes.equals((await readFile(join(directory, 'long'))).subarray(0, MIB))).toBe(true)
    expect(digests).toEqual([NOT_HASHED, whole])
  })

  test('the only one of a file is hashed all the same: it is told', async () => {
    const whole = await put('one block', randomBytes(MIB))
    expect((await sent('one block', MIB)).digests).toEqual([whole, whole])
  })
})

describe('the version of a file', () => {
  const versionOf = async (name: string) => {
    const source = await open(name)
    await source.close()
    return source.version
  }

  test('is the same while nothing changes', async () => {
    await put('same', randomBytes(10))
    expect(await versionOf('same')).toBe(await versionOf('same'))
  })

  test('is another one after a write, and for a file that took its place', async () => {
    await put('changing', randomBytes(10))
    const before = await versionOf('changing')
    await utimes(join(directory, 'changing'), 1, 1)
    const touched = await versionOf('changing')
    await put('other', randomBytes(10))
    await utimes(join(directory, 'other'), 1, 1)
    await rename(join(directory, 'other'), join(directory, 'changing'))
    expect(new Set([before, touched, await versionOf('changing')]).size).toBe(3)
  })
})
