import { describe, expect, test } from '@jest/globals'
import { Ledger } from '../../src/core/ledger.js'
import { isTelling, tellingSample } from '../../src/engine/telling-sample.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryDisk } from '../support/memory-source.js'

const KIB = 1024
const MIB = 1024 * KIB

describe('bytes', () => {
  test.each([
    ['zeros', false, Buffer.alloc(1000)],
    ['nothing', false, Buffer.alloc(0)],
    ['one zero', false, Buffer.from([0])],
    ['one other byte', true, Buffer.from([7])],
    ['other bytes that are alike', true, Buffer.alloc(1000, 7)],
    ['zeros before another byte', true, Buffer.concat([Buffer.alloc(1000), Buffer.from([1])])],
    ['zeros after another byte', true, Buffer.concat([Buffer.from([1]), Buffer.alloc(1000)])]
  ])('that are %s are telling: %s', (_what, telling, bytes) => {
    expect(isTelling(bytes)).toBe(telling)
  })
})

describe('a sample of what is kept', () => {
  async function open() {
    const size = 4 * MIB + 10
    const bytes = Buffer.from(bytesOf(1, size))
    const disk = new MemoryDisk(new MemoryClock())
    disk.put('a', bytes)
    const source = await disk.openSource({ local: 'a', remote: 'a', size })
    const ledger = new Ledger(size)
    return { bytes, disk, source, ledger }
  }

  test('is the beginning of the first block', async () => {
    const { source, ledger } = await open()
    for (const index of [3, 2, 1]) ledger.acknowledge(index, '')
    expect(await tellingSample(ledger, source)).toEqual({ offset: MIB, length: 64 * KIB })
  })

  test('is that of a later one where the first begin with zeros', async () => {
    const { bytes, source, ledger } = await open()
    bytes.fill(0, 0, 4 * MIB)
    bytes[MIB + 64 * KIB] = 1
    bytes[3 * MIB + 64 * KIB - 1] = 1
    for (const index of [0, 1, 2, 4]) ledger.acknowledge(index, '')
    expect(await tellingSample(ledger, source)).toEqual({ offset: 4 * MIB, length: 10 })
    ledger.acknowledge(3, '')
    expect(await tellingSample(ledger, source)).toEqual({ offset: 3 * MIB, length: 64 * KIB })
  })

  test('is none where all begin with zeros, or nothing is kept', async () => {
    const { bytes, source, ledger } = await open()
    expect(await tellingSample(ledger, source)).toBeUndefined()
    bytes.fill(0)
    for (const index of [0, 4]) ledger.acknowledge(index, '')
    expect(await tellingSample(ledger, source)).toBeUndefined()
  })

  test('says when the local file cannot be read', async () => {
    const { disk, source, ledger } = await open()
    ledger.acknowledge(0, '')
    disk.isUnreadable = () => true
    await expect(tellingSample(ledger, source)).rejects.toMatchObject({ code: 'source-unreadable' })
  })
})
