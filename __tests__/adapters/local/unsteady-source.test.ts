import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalSource } from '../../../src/adapters/local/local-source.js'
import { openLongSource } from '../../../src/adapters/local/long-source.js'
import { ReaderPool } from '../../../src/adapters/local/reader-pool.js'
import { artifactBytes, writeArtifact, writeTree } from '../../support/artifact.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpServer } from '../../support/sftp-server.mjs'
import { uploadOverWire, type WireOutcome } from '../../support/wire-upload.js'

const MIB = 1024 * 1024
const OLD = 'the old file'
const POSIX = process.platform !== 'win32'

let base: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'local-source-'))
})
afterEach(async () => {
  await rm(base, { recursive: true, force: true })
})

describe('a file that is not what it was when it was found', () => {
  let readers: ReaderPool

  beforeEach(() => {
    readers = new ReaderPool({ hashesBlocks: true })
  })
  afterEach(() => readers.close())

  function open(local: string, size: number) {
    return openLocalSource({ local, remote: 'x', size }, readers)
  }

  test.each<[string, string, (path: string) => void]>([
    ['gone', 'source-changed', () => undefined],
    ['a directory', 'source-changed', path => execFileSync('mkdir', [path])],
    ['a FIFO', 'source-changed', path => execFileSync('mkfifo', [path])],
    ['a device', 'source-changed', path => symlinkSync('/dev/null', path)],
    ['a symbolic link to nothing', 'source-changed', path => symlinkSync('nowhere', path)],
    ['a symbolic link to itself', 'source-unreadable', path => symlinkSync(path, path)],
    ['shorter', 'source-changed', path => writeFileSync(path, 'x')],
    ['longer', 'source-changed', path => writeFileSync(path, 'x'.repeat(11))],
    // Nobody may open it for reading, not even root.
    ['unreadable', 'source-unreadable', path => symlinkSync('/sys/bus/cpu/drivers_probe', path)]
  ])('but %s, is %s by name, at once', async (what, code, make) => {
    if (!POSIX || (what === 'unreadable' && !existsSync('/sys/bus/cpu/drivers_probe'))) return
    const path = join(base, 'app.bin')
    make(path)
    await expect(open(path, 10)).rejects.toMatchObject({ code, message: expect.stringContaining(path) })
  })

  // A file of 4,096 bytes by its own account that refuses to be read.
  const unreadable = '/sys/class/net/lo/speed'

  test('but cannot be read, is named', async () => {
    if (!existsSync(unreadable)) return
    await expect(open(unreadable, statSync(unreadable).size)).rejects.toMatchObject({
      code: 'source-unreadable',
      message: expect.stringContaining(unreadable)
    })
  })

  test('but is long and cannot be read, is named, whatever reads it', async () => {
    if (!existsSync(unreadable)) return
    const path = unreadable
    const source = await openLongSource({ local: path, remote: 'x', size: statSync(path).size }, readers)
    const range = { offset: 0, length: source.size }
    const read = async () => {
      const { slices } = source.stream(range)
      for await (const slice of slices) expect(slice).toBeDefined()
    }
    for (const reading of [read(), source.digest(range), source.read(range)]) {
      await expect(reading).rejects.toMatchObject({
        code: 'source-unreadable',
        message: expect.stringContaining(path)
      })
    }
    await source.close()
  })

  test('but is longer by now, is read as it was, and then found to be changed', async () => {
    const path = join(base, 'app.bin')
    await writeArtifact(path, 1000)
    const source = await open(path, 1000)
    await source.confirmUnchanged()
    await writeFile(path, 'more', { flag: 'a' })
    expect(Buffer.from(await source.read({ offset: 0, length: 1000 })).equals(artifactBytes(1000))).toBe(true)
    await expect(source.confirmUnchanged()).rejects.toMatchObject({ code: 'source-changed' })
    await source.close()
  })
})

describe('a file that changes while it is sent', () => {
  let root: string
  let local: string
  let server: SftpServer

  beforeEach(async () => {
    root = join(base, 'root')
    local = join(base, 'local')
    await writeTree(local, { 'app.bin': 3 * MIB, 'notes.txt': 'notes', 'tiny.bin': 300 })
    await mkdir(join(root, 'site'), { recursive: true })
    for (const name of ['app.bin', 'notes.txt', 'tiny.bin']) await writeFile(join(root, 'site', name), OLD)
    server = await startSftpServer({ root })
  })
  afterEach(() => server.close())

  /** Does something to a local file once it is open: a small one when its part file is made, a large one later. */
  async function uploadWhile(name: string, change: (path: string) => void): Promise<WireOutcome> {
    let done = false
    server.faults.forge = ({ op, path }, honest) => {
      const isOpen =
        name === 'app.bin' ? server.stats.bytesWritten >= MIB : op === 'open' && path?.includes(name)
      if (isOpen === true && !done) {
        done = true
        change(join(local, name))
      }
      return [honest]
    }
    const outcome = await uploadOverWire({ settings: settingsFor(server), directory: local, retries: 3 })
    expect(done).toBe(true)
    return outcome
  }

  const changes: [string, (path: string) => void][] = [
    ['shrinks', path => truncateSync(path, 10)],
    ['becomes empty', path => truncateSync(path, 0)],
    ['grows', path => writeFileSync(path, 'more', { flag: 'a' })],
    ['vanishes', path => rmSync(path)],
    ['is written to', path => writeFileSync(path, 'x', { flag: 'r+' })],
    ['is touched', path => utimesSync(path, 1, 1)],
    [
      'is replaced by another of the same size and time',
      path => {
        const { size, atime, mtime } = statSync(path)
        writeFileSync(`${path}.new`, Buffer.alloc(size, 1))
        utimesSync(`${path}.new`, atime, mtime)
        renameSync(`${path}.new`, path)
      }
    ],
    [
      'is replaced by a directory',
      path => {
        rmSync(path)
        execFileSync('mkdir', [path])
      }
    ]
  ]

  test.each(
    changes.flatMap(([what, change]) => ['app.bin', 'tiny.bin'].map(name => [name, what, change] as const))
  )(
    '%s %s: fails by name, without a retry, and leaves the old file and the others alone',
    async (name, _what, change) => {
      if (!POSIX) return
      const { results, events } = await uploadWhile(name, change)
      expect(results).toHaveLength(3)
      for (const { file, status, error } of results) {
        if (file.remote === `site/${name}`) {
          expect([status, error?.code]).toEqual(['failed', 'source-changed'])
          expect(error?.message).toContain(join(local, name))
          expect(await readFile(join(root, file.remote), 'utf8')).toBe(OLD)
        } else {
          expect(status).toBe('uploaded')
          expect((await readFile(join(root, file.remote))).equals(await readFile(file.local))).toBe(true)
        }
      }
      expect(events.filter(({ type }) => type === 'retrying')).toEqual([])
      expect((await readdir(join(root, 'site'))).filter(found => !found.endsWith('.part'))).toHaveLength(3)
    }
  )
})
