import { expect, test } from '@jest/globals'
import { Lane } from '../../src/engine/lane.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type ServerTraits } from '../support/memory-server.js'

async function open(traits: Partial<ServerTraits>) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock, traits)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const file = await clock.until(remote.create('file', undefined))
  return { clock, server, remote, file, lane: new Lane(remote) }
}

test('has never more than its window in flight, and sends first what came first', async () => {
  const { clock, server, file, lane } = await open({ window: 1000, jitterMs: 50, shufflesAnswers: true })
  let inFlight = 0
  let most = 0
  const offsets: number[] = []
  const counting = Object.assign(Object.create(file) as typeof file, {
    write: (bytes: Uint8Array, offset: number) => {
      offsets.push(offset)
      inFlight += bytes.length
      most = Math.max(most, inFlight)
      return file.write(bytes, offset).finally(() => (inFlight -= bytes.length))
    }
  })
  const sent = Array.from({ length: 40 }, async (_, index) => {
    const { acknowledged } = await lane.send(
      counting,
      bytesOf(index, 100 + ((index * 37) % 300)),
      index * 1000
    )
    await acknowledged
  })
  await clock.until(Promise.all(sent))
  expect(most).toBeLessThanOrEqual(1000)
  expect(most).toBeGreaterThan(600)
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
  expect(server.requests('write')).toHaveLength(40)
})

test('sends a chunk that is longer than the window alone', async () => {
  const { clock, server, file, lane } = await open({ window: 10 })
  const times: number[] = []
  server.onRequest = () => times.push(clock.now())
  const sent = await clock.until(
    Promise.all([lane.send(file, bytesOf(1, 500), 0), lane.send(file, bytesOf(2, 500), 500)])
  )
  await clock.until(Promise.all(sent.map(({ acknowledged }) => acknowledged)))
  expect(server.bytesOf('file')).toHaveLength(1000)
  const [first = 0, second = 0] = times
  expect(second - first).toBe(2 * server.traits.latencyMs)
})

test('has room again after a refusal, which nobody has to wait for', async () => {
  const { clock, server, file, lane } = await open({ window: 500 })
  server.faults.push({ on: 'write', then: 'server-failure' })
  await clock.until(lane.send(file, bytesOf(1, 500), 0))
  const { acknowledged } = await clock.until(lane.send(file, bytesOf(2, 500), 500))
  await clock.until(acknowledged)
  expect(server.requests('write')).toHaveLength(2)
})

test('lets everybody through when the session has ended, to be refused', async () => {
  const { clock, server, file, lane } = await open({ window: 500 })
  const sends = [0, 500, 1000].map(
    async offset => (await lane.send(file, bytesOf(1, 500), offset)).acknowledged
  )
  server.cutAll()
  const settled = await clock.until(Promise.allSettled(sends))
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(lane.ended?.code).toBe('connection-lost')
})

test('knows of the end before the requests fail', async () => {
  const { clock, server, file, lane } = await open({})
  const { acknowledged } = await clock.until(lane.send(file, bytesOf(1, 500), 0))
  const known = acknowledged.catch(() => lane.ended?.code)
  server.cutAll()
  expect(await clock.until(known)).toBe('connection-lost')
})
