import { describe, expect, test } from '@jest/globals'
import { publish } from '../../src/engine/publish.js'
import { bytesOf, sameBytes } from '../support/memory-bytes.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer, type Fault, type ServerTraits } from '../support/memory-server.js'

const PART = 'site/app.zip.0123abcd.part'
const TARGET = 'site/app.zip'
const fresh = bytesOf(1, 5000)
const old = bytesOf(2, 4000)

async function open(traits: Partial<ServerTraits> = {}, hasOld = true) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock, traits)
  server.put(PART, fresh, 1_000_000)
  if (hasOld) server.put(TARGET, old, 2_000_000)
  const states: (Buffer | undefined)[] = []
  server.onChange = (path, bytes) => {
    if (path === TARGET) states.push(bytes)
  }
  const connect = () => clock.until(server.connect(new AbortController().signal))
  let remote = await connect()
  const again = async () => {
    remote = await connect()
  }
  const run = () => clock.until(publish(remote, PART, TARGET, { size: 5000, mtime: 1_000_000 }))
  const isNew = () => sameBytes(server.bytesOf(TARGET), fresh)
  const isOld = () => sameBytes(server.bytesOf(TARGET), old)
  return { server, run, again, states, isNew, isOld }
}

const SERVERS: [string, Partial<ServerTraits>][] = [
  ['that can replace', {}],
  ['whose rename replaces', { canReplace: false, renameReplaces: true }],
  ['whose rename refuses', { canReplace: false }]
]

describe.each(SERVERS)('on a server %s', (_name, traits) => {
  test.each([true, false])('gives the part file its final name (an old file: %s)', async hasOld => {
    const { server, run, isNew } = await open(traits, hasOld)
    expect(await run()).toMatchObject({ size: 5000, mtime: 1_000_000 })
    expect(isNew()).toBe(true)
    expect(server.names('site')).toEqual(['app.zip'])
  })

  test.each([1, 2, 3, 4, 5])('ends well when it is cut at request %i and called again', async at => {
    for (const takesEffect of [true, false]) {
      const { server, run, again, isNew, isOld } = await open(traits)
      server.faults.push({ after: at - 1, then: 'cut', takesEffect })
      const first = await run().then(
        () => 'done',
        (error: unknown) => error
      )
      if (first === 'done') {
        expect(isNew()).toBe(true)
        continue
      }
      expect(first).toMatchObject({ code: 'connection-lost' })
      expect(isNew() || isOld() || server.bytesOf(`${PART}.old`) !== undefined).toBe(true)
      if (isNew()) continue
      await again()
      await run()
      expect(isNew()).toBe(true)
      expect(server.names('site')).toEqual(['app.zip'])
    }
  })

  test('leaves the old file where nothing can be renamed', async () => {
    const { server, run, isOld } = await open(traits)
    server.faults.push({ on: ['rename', 'replace'], times: Infinity, then: 'permission' })
    await expect(run()).rejects.toMatchObject({ code: 'permission' })
    expect(isOld()).toBe(true)
    expect(sameBytes(server.bytesOf(PART), fresh)).toBe(true)
  })

  test('says so when the part file is gone, and leaves the old file where it is', async () => {
    const { server, run, states, isOld } = await open(traits)
    server.remove(PART)
    await expect(run()).rejects.toMatchObject({
      code: 'not-found',
      message: `rename ${PART}: it is gone`,
      cause: { code: 'not-found' }
    })
    expect(isOld()).toBe(true)
    // Not even for a moment.
    expect(states).toEqual([])
  })

  test('does not take the place of a directory', async () => {
    const { server, run } = await open(traits, false)
    server.directories.add(TARGET)
    await expect(run()).rejects.toMatchObject({
      code: 'wrong-type',
      message: `rename ${PART} to ${TARGET}: a directory of that name is in its place`,
      cause: { code: 'server-failure' }
    })
    expect(server.directories.has(TARGET)).toBe(true)
  })

  test('notices that the target has another size then', async () => {
    const { server, run } = await open(traits)
    server.onChange = path => {
      if (path === TARGET) server.files.get(TARGET)?.truncate(10)
    }
    await expect(run()).rejects.toMatchObject({
      code: 'not-verified',
      message: `check ${TARGET}: the server must hold 5,000 bytes now and holds 10 bytes`
    })
  })

  test('notices that the target is gone then', async () => {
    const { server, run } = await open(traits)
    server.onChange = (path, bytes) => {
      if (path === TARGET && bytes?.length === 5000) server.files.delete(TARGET)
    }
    await expect(run()).rejects.toMatchObject({
      code: 'not-verified',
      message: `check ${TARGET}: the server must hold 5,000 bytes now and holds nothing`
    })
  })

  test.each([
    { of: 'nothing', answer: undefined },
    { of: 'an old file of that size', answer: { size: 5000, mtime: 2_000_000 } },
    { of: 'an old file of that time', answer: { size: 4000, mtime: 1_000_000 } }
  ])('believes no answer about the target from before the rename: $of', async ({ answer }) => {
    const { server, run, isNew } = await open(traits)
    const stat = server.stat.bind(server)
    let answers = 0
    server.stat = path => {
      if (path !== TARGET || answers++ > 0) return stat(path)
      return answer && { ...answer, mode: 0o100644, isDirectory: false }
    }
    expect(await run()).toMatchObject({ size: 5000, mtime: 1_000_000 })
    expect(isNew()).toBe(true)
  })

  test('asks for the target once more where the first answer is a refusal', async () => {
    const { server, run, isNew } = await open(traits)
    server.faults.push({ on: 'stat', path: /\.zip$/, then: 'permission' })
    expect(await run()).toMatchObject({ size: 5000, mtime: 1_000_000 })
    expect(isNew()).toBe(true)
  })

  test('says why where nothing is in the way and the rename is refused', async () => {
    const { server, run } = await open(traits, false)
    server.faults.push({ on: ['rename', 'replace'], times: Infinity, then: 'permission' })
    await expect(run()).rejects.toMatchObject({ code: 'permission' })
    expect(server.names('site')).toEqual(['app.zip.0123abcd.part'])
  })

  test('looks for no other way when the connection is of no more use', async () => {
    const { server, run, isOld } = await open(traits)
    server.faults.push({ on: ['rename', 'replace'], then: 'stalled' })
    await expect(run()).rejects.toMatchObject({ code: 'stalled' })
    expect(isOld()).toBe(true)
    expect(server.log.map(({ operation }) => operation)).toEqual([
      'connect',
      traits.canReplace === false ? 'rename' : 'replace',
      'stat'
    ])
  })
})

test('where posix-rename is offered and refused, does as if it were not', async () => {
  const { server, run, isNew } = await open()
  server.faults.push({ on: 'replace', then: 'unsupported' })
  await run()
  expect(isNew()).toBe(true)
  expect(server.names('site')).toEqual(['app.zip'])
})

test('where posix-rename fails for want of space, looks for no other way', async () => {
  const { server, run, isOld } = await open()
  server.faults.push({ on: 'replace', then: 'no-space' })
  await expect(run()).rejects.toMatchObject({ code: 'no-space' })
  expect(isOld()).toBe(true)
  expect(server.requests('rename')).toEqual([])
})

test('a server that answers in order is asked for nothing more than the rename and the target', async () => {
  const { server, run } = await open()
  server.log.length = 0
  await run()
  expect(server.log.map(({ operation, path }) => [operation, path])).toEqual([
    ['replace', PART],
    ['stat', TARGET]
  ])
})

test('leaves the old file aside where the answer to the rename in its place is lost', async () => {
  const { server, run } = await open({ canReplace: false })
  server.faults.push({ on: 'rename', path: /\.part$/, after: 1, then: 'stalled', takesEffect: true })
  await expect(run()).rejects.toMatchObject({ code: 'stalled' })
  expect(server.requests('rename').map(({ path }) => path)).toEqual([PART, TARGET, PART])
  expect(server.names('site')).toEqual(['app.zip', 'app.zip.0123abcd.part.old'])
})

test("an old copy that is left of a swap that was cut is in nobody's way", async () => {
  const { server, run, isNew } = await open({ canReplace: false })
  server.put(`${PART}.old`, old, 1_500_000)
  await run()
  expect(isNew()).toBe(true)
  expect(server.names('site')).toEqual(['app.zip'])
})

test('a server that can replace never lacks the target', async () => {
  const { run, states } = await open()
  await run()
  expect(states.map(bytes => sameBytes(bytes, fresh))).toEqual([true])
})

test('puts the old file back when the new one cannot be put in its place', async () => {
  const { server, run, isOld } = await open({ canReplace: false })
  const refused: Fault = { on: 'rename', path: /\.part$/, after: 1, then: 'permission' }
  server.faults.push(refused)
  await expect(run()).rejects.toMatchObject({ code: 'permission' })
  expect(isOld()).toBe(true)
  expect(server.names('site')).toEqual(['app.zip', 'app.zip.0123abcd.part'])
})

test('says where the old file is when it cannot be put back', async () => {
  const { server, run } = await open({ canReplace: false })
  server.faults.push(
    { on: 'rename', path: /\.part$/, after: 1, then: 'permission' },
    { on: 'rename', path: /\.old$/, then: 'permission' }
  )
  await expect(run()).rejects.toMatchObject({
    code: 'server-failure',
    message: `rename ${PART} to ${TARGET}: the old file is now ${PART}.old`,
    cause: { code: 'permission' }
  })
  expect(sameBytes(server.bytesOf(`${PART}.old`), old)).toBe(true)
})

test('an old copy that cannot be removed is no failure', async () => {
  const { server, run, isNew } = await open({ canReplace: false })
  server.faults.push({ on: 'remove', times: Infinity, then: 'permission' })
  await run()
  expect(isNew()).toBe(true)
  // Before the old file is moved aside, and when the new one is in place.
  expect(server.requests('remove').map(({ path }) => path)).toEqual([`${PART}.old`, `${PART}.old`])
})
