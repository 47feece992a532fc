import { expect, test } from '@jest/globals'
import type { ByteRange } from '../../src/core/blocks.js'
import { holdsSameBytes } from '../../src/engine/same-bytes.js'
import { bytesOf, changed } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'
import { MemoryDisk } from '../support/memory-source.js'

const MIB = 1024 * 1024
const KIB = 1024
const SIZE = 6 * MIB + 7
const bytes = bytesOf(1, SIZE)
const whole: ByteRange[] = [{ offset: 0, length: SIZE }]

async function open(there: Uint8Array = bytes) {
  const clock = new MemoryClock()
  const disk = new MemoryDisk(clock)
  disk.put('a', bytes)
  const source = await disk.openSource({ local: 'a', remote: 'a', size: SIZE })
  const server = new MemoryServer(clock, { latencyMs: 50 })
  server.put('a', there)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const file = await clock.until(remote.openForReading('a'))
  const holds = (ranges: readonly ByteRange[]) => clock.until(holdsSameBytes(file, source, ranges))
  return { clock, disk, server, holds }
}

test.each([0, 256 * KIB, 3 * MIB + 1, SIZE - 1])('finds another byte at %i', async offset => {
  const { holds } = await open(changed(bytes, { offset, length: 1 }, 1))
  expect(await holds(whole)).toBe(false)
  expect(await holds([{ offset: 0, length: offset }])).toBe(true)
  expect(await holds([{ offset: offset + 1, length: SIZE - offset - 1 }])).toBe(true)
})

test('finds that bytes are missing, and is content with the right ones', async () => {
  expect(await (await open(bytes.subarray(0, SIZE - 1))).holds(whole)).toBe(false)
  expect(await (await open()).holds(whole)).toBe(true)
})

test('reads eight pieces at once, and none after a difference was found', async () => {
  const { clock, server, holds } = await open()
  const times: number[] = []
  server.onRequest = ({ operation }) => {
    if (operation === 'read') times.push(clock.now())
  }
  await holds(whole)
  expect(times).toHaveLength(25)
  expect(times.filter(time => time === times[0])).toHaveLength(8)

  const other = await open(changed(bytes, { offset: 0, length: 1 }, 1))
  expect(await other.holds(whole)).toBe(false)
  expect(other.server.requests('read')).toHaveLength(8)
})

test('says what cannot be read', async () => {
  const { disk, server, holds } = await open()
  server.faults.push({ on: 'read', then: 'permission' })
  await expect(holds(whole)).rejects.toMatchObject({ code: 'permission' })
  disk.isUnreadable = () => true
  await expect(holds(whole)).rejects.toMatchObject({ code: 'source-unreadable' })
})
