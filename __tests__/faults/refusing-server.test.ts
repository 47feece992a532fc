import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileResult } from '../../src/core/report.js'
import { writeTree } from '../support/artifact.js'
import { MemoryStore } from '../support/memory-store.js'
import { settingsFor } from '../support/sftp-settings.js'
import { startSftpServer, type SftpFaults, type SftpServer } from '../support/sftp-server.mjs'
import { formatStatus } from '../support/sftp-wire.mjs'
import { uploadOverWire, type WireOutcome, type WireUpload } from '../support/wire-upload.js'

const MIB = 1024 * 1024
const OLD = 'the old file'

let base: string
let site: string
let local: string
let server: SftpServer
let store: MemoryStore
let runs = 0

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'refusing-'))
  local = join(base, 'local')
  site = join(base, 'root', 'site')
  await mkdir(site, { recursive: true })
  server = await startSftpServer({ root: join(base, 'root') })
  store = new MemoryStore()
})

afterEach(async () => {
  await server.close()
  await rm(base, { recursive: true })
})

/** One more attempt of the job. */
function upload(options: Partial<WireUpload> = {}): Promise<WireOutcome> {
  const writer = { run: '1', attempt: ++runs, runner: 'a' }
  return uploadOverWire({
    settings: settingsFor(server),
    directory: local,
    retries: 2,
    state: { store, writer },
    ...options
  })
}

function resultOf({ results }: WireOutcome, name: string): FileResult {
  const result = results.find(({ file }) => file.remote === `site/${name}`)
  if (result === undefined) throw new Error(`no result for ${name}`)
  return result
}

function warningsOf({ events }: WireOutcome): string[] {
  return events.flatMap(event => (event.type === 'warning' ? [event.text] : []))
}

function retriesOf({ events }: WireOutcome): number {
  return events.filter(({ type }) => type === 'retrying').length
}

async function expectInPlace(...names: string[]): Promise<void> {
  for (const name of names) {
    expect((await readFile(join(site, name))).equals(await readFile(join(local, name)))).toBe(true)
  }
}

describe.each(['large.bin', 'small.bin'])('no permission, for %s', name => {
  beforeEach(() => writeTree(local, { [name]: name === 'large.bin' ? 3 * MIB : 500 }))

  test.each<[string, SftpFaults['refuse'], string, RegExp]>([
    ['to make a directory', { mkdir: 3 }, 'site/new', /^make the directory site\/new: Permission denied/],
    [
      'to open a part file',
      { open: 3 },
      'site',
      /^open site\/(?:large|small)\.bin\.[0-9a-f]{8}\.part: Permission denied/
    ],
    [
      'to rename',
      { posixRename: 3, rename: 3 },
      'site',
      /^rename site\/(?:large|small)\.bin.*: Permission denied/
    ]
  ])(
    '%s: says so by name, without a retry, and leaves the old file',
    async (_name, refuse, remote, message) => {
      await writeFile(join(site, name), OLD)
      server.faults.refuse = refuse
      const outcome = await upload({ remote })
      expect(outcome.results[0]).toMatchObject({
        status: 'failed',
        error: { code: 'permission', message: expect.stringMatching(message) }
      })
      expect(retriesOf(outcome)).toBe(0)
      expect(await readFile(join(site, name), 'utf8')).toBe(OLD)
    }
  )

  test('to rename: the whole part file is kept, and the next attempt sends nothing', async () => {
    server.faults.refuse = { posixRename: 3, rename: 3 }
    await upload()
    expect((await readdir(site)).filter(entry => entry.endsWith('.part'))).toHaveLength(1)
    server.faults.refuse = undefined
    const outcome = await upload()
    expect(resultOf(outcome, name)).toMatchObject({ status: 'uploaded', sentBytes: 0 })
    await expectInPlace(name)
    expect(await readdir(site)).toEqual([name])
  })

  test.each([3, 8])('to set attributes: one warning, and the file is in place (status %i)', async status => {
    await utimes(join(local, name), 1, 1)
    server.faults.refuse = { setstat: status }
    const outcome = await upload({ preserveMtime: true })
    expect(outcome.results.map(({ status }) => status)).toEqual(['uploaded'])
    expect(warningsOf(outcome)).toEqual([expect.stringMatching(/does not set permissions or times/)])
    await expectInPlace(name)
  })
})

test.each([1, 3])(
  'a quota that is used up ends all at once; a re-run continues (%i connections)',
  async connections => {
    await writeTree(local, { 'app.bin': 12 * MIB, 'notes.txt': 'notes' })
    await writeFile(join(site, 'app.bin'), OLD)
    server.faults.forge = ({ op, id }, honest) =>
      op === 'write' && server.stats.bytesWritten > 6 * MIB
        ? [formatStatus(id, 4, 'Disk quota exceeded')]
        : [honest]
    const outcome = await upload({ connections })
    expect(resultOf(outcome, 'app.bin')).toMatchObject({
      status: 'failed',
      error: {
        code: 'no-space',
        message: expect.stringMatching(/^write site\/app\.bin.*: Disk quota exceeded/)
      }
    })
    expect(retriesOf(outcome)).toBe(0)
    expect(await readFile(join(site, 'app.bin'), 'utf8')).toBe(OLD)

    server.faults.forge = undefined
    const next = await upload({ connections })
    expect(resultOf(next, 'app.bin')).toMatchObject({ status: 'uploaded' })
    expect(resultOf(next, 'app.bin').reusedBytes).toBeGreaterThanOrEqual(MIB)
    await expectInPlace('app.bin', 'notes.txt')
  }
)

test.each([1, 3])(
  'a server with few handles that tells no limit gets many small files in one run (%i connections)',
  async connections => {
    const names = Array.from({ length: 300 }, (_, index) => `file-${index}`)
    await writeTree(local, Object.fromEntries(names.map(name => [name, 100])))
    server.faults.maxHandles = 10
    const { results } = await upload({ connections, retries: 0 })
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['uploaded']))
    await expectInPlace(...names)
  }
)

describe('a rename that the server cannot do', () => {
  beforeEach(() => writeTree(local, { 'app.bin': 3 * MIB }))

  /** Status 11 is that of servers that know later versions of SFTP: the file is there already. */
  test.each([
    [4, /^rename site\/app\.bin.* to site\/app\.bin.*: Failure \(SFTP status 4\)/],
    [11, /^rename site\/app\.bin.* to site\/app\.bin.*: Status 11 \(SFTP status 11\)/]
  ])(
    'as across devices: names both, keeps the whole part file, and a re-run sends nothing (status %i)',
    async (status, message) => {
      await writeFile(join(site, 'app.bin'), OLD)
      server.faults.refuse = { posixRename: status, rename: status }
      const outcome = await upload()
      expect(resultOf(outcome, 'app.bin')).toMatchObject({
        status: 'failed',
        error: { code: 'server-failure', message: expect.stringMatching(message) }
      })
      expect(await readFile(join(site, 'app.bin'), 'utf8')).toBe(OLD)
      server.faults.refuse = undefined
      expect(resultOf(await upload(), 'app.bin')).toMatchObject({ status: 'uploaded', sentBytes: 0 })
      await expectInPlace('app.bin')
      expect(await readdir(site)).toEqual(['app.bin'])
    }
  )

  test.each([4, 11])(
    'in one step: it is done in two, and nothing is left beside the file (status %i)',
    async status => {
      await server.close()
      server = await startSftpServer({ root: join(base, 'root'), extensions: [] })
      await writeFile(join(site, 'app.bin'), OLD)
      let refused = 0
      server.faults.forge = ({ op, id }, honest) => {
        if (op !== 'rename' || isOk(honest)) return [honest]
        refused += 1
        return [formatStatus(id, status)]
      }
      expect(resultOf(await upload(), 'app.bin').status).toBe('uploaded')
      expect(refused).toBe(1)
      await expectInPlace('app.bin')
      expect(await readdir(site)).toEqual(['app.bin'])
    }
  )

  test.each([3, 4, 8, 11])(
    'in one step, though it offers that: it is done in two, and nothing is left (status %i)',
    async status => {
      await writeFile(join(site, 'app.bin'), OLD)
      server.faults.refuse = { posixRename: status }
      const outcome = await upload()
      expect(resultOf(outcome, 'app.bin').status).toBe('uploaded')
      expect([retriesOf(outcome), warningsOf(outcome)]).toEqual([0, []])
      await expectInPlace('app.bin')
      expect(await readdir(site)).toEqual(['app.bin'])
    }
  )

  test('in one step, with a cut between the two: the next attempt finds its way, and leaves no old copy', async () => {
    await server.close()
    server = await startSftpServer({ root: join(base, 'root'), extensions: [] })
    await writeFile(join(site, 'app.bin'), OLD)
    server.faults.forge = ({ op, path }, honest) => {
      if (op === 'rename' && path === 'site/app.bin') server.dropConnections()
      return [honest]
    }
    expect(resultOf(await upload({ retries: 0 }), 'app.bin').status).toBe('failed')
    server.faults.forge = undefined
    expect(resultOf(await upload(), 'app.bin').status).toBe('uploaded')
    await expectInPlace('app.bin')
    expect(await readdir(site)).toEqual(['app.bin'])
  })
})

/** The status is at byte 9 (draft-ietf-secsh-filexfer-02, section 7). */
function isOk(answer: Buffer): boolean {
  return answer.readUInt32BE(9) === 0
}

test('a part file is opened again for writing alone, and made only once', async () => {
  await writeTree(local, { 'app.bin': 12 * MIB })
  const opened: [name: string, flags: number | undefined][] = []
  server.faults.forge = ({ op, path = '', flags }, honest) => {
    if (op === 'open') opened.push([path.replace(/[0-9a-f]{8}/, 'ID'), flags])
    return [honest]
  }
  server.faults.cutAfterBytes = 8 * MIB
  expect(resultOf(await upload({ connections: 3, retries: 0 }), 'app.bin').status).toBe('failed')
  // Flags of section 6.3 of the draft: one connection makes it, empty, and the others may only write and read.
  const part = 'site/app.bin.ID.part'
  const [create, write, read] = [0x02 | 0x08 | 0x10, 0x02, 0x01]
  const others = () => opened.filter(([name, flags]) => name !== part || (flags !== write && flags !== read))
  expect(others()).toEqual([[part, create]])

  opened.length = 0
  expect(resultOf(await upload({ connections: 3 }), 'app.bin').status).toBe('uploaded')
  expect(opened).toContainEqual([part, write])
  expect(others()).toEqual([])
  await expectInPlace('app.bin')
})

test.each([3 * MIB, 500])(
  'a name without room for that of its part file fails by name (%i bytes)',
  async size => {
    const name = 'n'.repeat(250)
    await writeTree(local, { [name]: size, 'other.txt': 'other' })
    const outcome = await upload()
    expect(resultOf(outcome, name)).toMatchObject({
      status: 'failed',
      error: {
        code: 'invalid-input',
        message: expect.stringMatching(/^open .*the name has 264 bytes, and most servers take 255/)
      }
    })
    expect(resultOf(outcome, 'other.txt').status).toBe('uploaded')
    expect(await readdir(site)).toEqual(['other.txt'])
  }
)

test('a path that is too long fails by name', async () => {
  await writeTree(local, { 'app.bin': 500 })
  const remote = `site/${Array.from({ length: 20 }, (_, index) => `${index}`.padStart(220, 'd')).join('/')}`
  const { results } = await upload({ remote })
  expect(results[0]).toMatchObject({
    status: 'failed',
    error: {
      code: 'invalid-input',
      message: expect.stringMatching(/the path has 4\d{3} bytes, and most servers take 4095/)
    }
  })
})
