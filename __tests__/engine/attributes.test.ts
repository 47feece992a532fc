import { describe, expect, test } from '@jest/globals'
import { bytesOf } from '../support/memory-bytes.js'
import { count, decisionsOf, localOf, MemoryWorld, resultOf, warnings } from '../support/memory-world.js'

const MIB = 1024 * 1024
const MODIFIED = Date.UTC(2020, 1, 1) + 999
const MODIFIED_SECONDS = Date.UTC(2020, 1, 1) / 1000

/** A file with mode 0755 here, on a server that takes these bits away from every file that it makes. */
function worldWith(umask = 0): MemoryWorld {
  const world = new MemoryWorld()
  world.disk.put(localOf('app'), bytesOf(1, 500), { mode: 0o755, mtimeMs: MODIFIED })
  world.server.umask = umask
  return world
}

function asked(world: MemoryWorld): number {
  return world.server.requests('setAttributes').length
}

describe('the mode', () => {
  test('that the file was made with is not set again', async () => {
    const world = worldWith()
    await world.run()
    expect(world.server.files.get('site/app')?.mode).toBe(0o755)
    expect(asked(world)).toBe(0)
  })

  test.each([
    { fileMode: undefined, mode: 0o755 },
    { fileMode: 0o664, mode: 0o664 }
  ])('that the server took bits away from is set ($fileMode)', async ({ fileMode, mode }) => {
    const world = worldWith(0o077)
    await world.run({ fileMode })
    expect(world.server.files.get('site/app')?.mode).toBe(mode)
    expect(asked(world)).toBe(1)
  })
})

describe('the mode of a file that is in place and unchanged', () => {
  test.each([
    ['another file-mode', { fileMode: 0o600 }, 0o755, 0o600],
    ['another mode here', {}, 0o711, 0o711]
  ])('follows %s, and nothing is sent', async (_what, options, local, mode) => {
    const world = worldWith()
    await world.run()
    world.disk.at(localOf('app')).mode = local
    const outcome = await world.run({ ...options, writer: { attempt: 2 } })
    expect(resultOf(outcome, 'app')).toMatchObject({ status: 'skipped', sentBytes: 0 })
    expect(world.server.files.get('site/app')?.mode).toBe(mode)
    expect(asked(world)).toBe(1)
  })

  test('is not set again where it is what it is to be, nor by a dry run', async () => {
    const world = worldWith()
    await world.run()
    await world.run({ writer: { attempt: 2 } })
    await world.run({ writer: { attempt: 3 }, fileMode: 0o600, isDryRun: true })
    expect(asked(world)).toBe(0)
  })

  test('is one warning where the server refuses it, and new files get theirs', async () => {
    const world = worldWith()
    await world.run()
    world.server.umask = 0o022
    world.put('new', bytesOf(2, 10), MODIFIED)
    world.server.faults.push({ on: 'setAttributes', path: /app$/, times: Infinity, then: 'permission' })
    const outcome = await world.run({ fileMode: 0o664, preserveMtime: true, writer: { attempt: 2 } })
    expect(resultOf(outcome, 'app').status).toBe('skipped')
    expect(warnings(outcome)).toEqual([
      expect.stringMatching(
        /permissions or times of files that are in place \(.+\); they stay as they are\.$/
      )
    ])
    expect(world.server.files.get('site/new')).toMatchObject({ mode: 0o664, mtime: MODIFIED_SECONDS })
  })

  test('is asked for once where the server says yes and keeps its own, and not where it tells none', async () => {
    const world = worldWith()
    // Three large ones are looked at together.
    for (let index = 0; index < 9; index++) world.put(`file-${index}`, bytesOf(index, MIB + 1), MODIFIED)
    await world.run()
    world.server.traits.ignoresAttributes = true
    const outcome = await world.run({ fileMode: 0o600, writer: { attempt: 2 } })
    expect(asked(world)).toBeLessThanOrEqual(4)
    expect(warnings(outcome)).toEqual([])
    const stat = world.server.stat.bind(world.server)
    world.server.stat = path => {
      const found = stat(path)
      return found === undefined ? undefined : { ...found, mode: 0 }
    }
    world.server.log.length = 0
    await world.run({ fileMode: 0o600, writer: { attempt: 3 } })
    expect(asked(world)).toBe(0)
  })
})

describe('the mode of a directory that is made', () => {
  const modes = ({ server }: MemoryWorld) => Object.fromEntries(server.directoryModes)

  test('is the one that was asked for, whatever bits the server takes away', async () => {
    const world = worldWith(0o027)
    world.put('a/b', bytesOf(1, 10))
    await world.run({ dirMode: 0o2775 })
    expect(modes(world)).toEqual({ site: 0o2775, 'site/a': 0o2775 })
  })

  test('keeps the setgid bit of the one above, and is not set where the server made it so', async () => {
    const world = worldWith()
    world.server.makeDirectory('site', 0o2775)
    world.put('a/b', bytesOf(1, 10))
    await world.run({ dirMode: 0o755 })
    expect(modes(world)).toEqual({ site: 0o2775, 'site/a': 0o2755 })
    world.server.umask = 0o077
    world.put('c/d', bytesOf(1, 10))
    await world.run({ dirMode: 0o755, writer: { attempt: 2 } })
    expect(modes(world)).toMatchObject({ 'site/c': 0o2755 })
    const set = world.server.requests('setAttributes').map(({ path }) => path)
    expect(set.filter(path => !path.includes('.part'))).toEqual(['site/c'])
  })

  test('is the default of the server where none was asked for', async () => {
    const world = worldWith(0o027)
    await world.run()
    expect(modes(world)).toEqual({ site: 0o750 })
    expect(world.server.requests('setAttributes').map(({ path }) => path)).not.toContain('site')
  })

  test('is one warning where the server refuses to set it', async () => {
    const world = worldWith()
    for (const name of ['a/b', 'c/d']) world.put(name, bytesOf(1, 10))
    world.server.faults.push({ on: 'setAttributes', times: Infinity, then: 'permission' })
    world.server.umask = 0o077
    const outcome = await world.run({ dirMode: 0o755, fileMode: 0o600 })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded', 'uploaded'])
    expect(warnings(outcome)).toHaveLength(1)
  })

  test('of one that was there stays', async () => {
    const world = worldWith()
    world.server.makeDirectory('site', 0o700)
    await world.run({ dirMode: 0o755 })
    expect(modes(world)).toEqual({ site: 0o700 })
  })
})

describe('a file that its owner may not write', () => {
  test.each([10, 12 * MIB])(
    'gets its mode last, over several lanes where it is large (%i bytes)',
    async size => {
      const world = new MemoryWorld()
      world.disk.put(localOf('app'), bytesOf(1, size), { mode: 0o444, mtimeMs: MODIFIED })
      const outcome = await world.run({ connections: 3 })
      expect(resultOf(outcome, 'app').status).toBe('uploaded')
      expect(world.server.files.get('site/app')?.mode).toBe(0o444)
      const { log } = world.server
      const last = log.findLastIndex(({ operation }) => operation === 'write')
      expect(log.findIndex(({ operation }) => operation === 'setAttributes')).toBeGreaterThan(last)
      const lanes = new Set(world.server.requests('write').map(({ session }) => session)).size
      expect(lanes > 1).toBe(size > MIB)
    }
  )

  test.each([undefined, 0o555])(
    'is continued after a cut, in the run and in the next one (%s)',
    async fileMode => {
      const world = new MemoryWorld()
      world.disk.put(localOf('app'), bytesOf(1, 12 * MIB), { mode: 0o444, mtimeMs: MODIFIED })
      await world.interrupt(6.5 * MIB, { fileMode })
      const outcome = await world.run({ fileMode, writer: { attempt: 2 } })
      expect(decisionsOf(outcome)).toEqual(['continue'])
      expect(resultOf(outcome, 'app').reusedBytes).toBeGreaterThan(0)
      expect(world.server.files.get('site/app')?.mode).toBe(fileMode ?? 0o444)
    }
  )
})

test('no mode is asked for where the local system has none', async () => {
  const world = worldWith()
  world.disk.at(localOf('app')).mode = undefined
  await world.run()
  expect(asked(world)).toBe(0)
  // The server's own default.
  expect(world.server.files.get('site/app')?.mode).toBe(0o644)
})

describe('the time', () => {
  test('is that of the local file in whole seconds where it is to be kept', async () => {
    const world = worldWith()
    await world.run({ preserveMtime: true })
    expect(world.server.files.get('site/app')).toMatchObject({ mode: 0o755, mtime: MODIFIED_SECONDS })
    expect(asked(world)).toBe(1)
    expect(world.record('app')?.published).toEqual({ size: 500, mtime: MODIFIED_SECONDS })
    // Nothing is asked for twice: what was set is what is found.
    expect(world.server.requests('stat').filter(({ path }) => path === 'site/app')).toHaveLength(1)
  })

  test('is not set where the part file has it', async () => {
    const world = worldWith()
    const { server } = world
    server.onChange = path => {
      const file = server.files.get(path)
      if (file !== undefined) file.mtime = MODIFIED_SECONDS
    }
    await world.run({ preserveMtime: true })
    expect(server.files.get('site/app')?.mtime).toBe(MODIFIED_SECONDS)
    expect(asked(world)).toBe(0)
  })
})

describe('a refusal', () => {
  test('is told once, with its reason, and nothing is asked for again', async () => {
    const world = worldWith()
    for (const name of ['b', 'c']) world.put(name, bytesOf(1, 4 * MIB), MODIFIED)
    world.server.faults.push({ on: 'setAttributes', times: Infinity, then: 'permission' })
    const outcome = await world.run({ preserveMtime: true })
    expect(outcome.report.results.map(({ status }) => status)).toEqual(['uploaded', 'uploaded', 'uploaded'])
    expect(warnings(outcome)).toEqual([
      expect.stringMatching(
        /^The server does not set permissions or times of files \(.*setAttributes.*\); they stay as they are\.$/
      )
    ])
    expect(asked(world)).toBeLessThan(3)
  })

  test('of several that were asked for together is told once', async () => {
    const world = worldWith()
    const { server } = world
    for (let index = 0; index < 20; index++) world.put(`file-${index}`, bytesOf(index, 10), MODIFIED)
    // The others wait for the directory that the first one makes.
    server.onChange = path => {
      const file = path.startsWith('site/app.') ? server.files.get(path) : undefined
      if (file !== undefined) file.mtime = MODIFIED_SECONDS
    }
    server.faults.push({ on: 'setAttributes', times: Infinity, then: 'permission' })
    const outcome = await world.run({ preserveMtime: true })
    expect(asked(world)).toBeGreaterThan(1)
    expect(warnings(outcome)).toHaveLength(1)
  })

  test('is none where the line was cut: the next attempt sets them', async () => {
    const world = worldWith()
    world.server.faults.push({ on: 'setAttributes', then: 'cut-all' })
    const outcome = await world.run({ preserveMtime: true })
    expect(resultOf(outcome, 'app').status).toBe('uploaded')
    expect(warnings(outcome)).toEqual([])
    expect(count(outcome, 'retrying')).toBe(1)
    expect(world.server.files.get('site/app')?.mtime).toBe(MODIFIED_SECONDS)
  })
})
