import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, readdir, readFile, rm, writeFile, mkdir } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerSettings } from '../../src/adapters/sftp/connect.js'
import { createHostKeyPolicy } from '../../src/adapters/sftp/host-keys.js'
import type { UploadError } from '../../src/core/errors.js'
import { writeTree } from '../support/artifact.js'
import { hurriedClock } from '../support/hurried-clock.js'
import { startLink, type Link } from '../support/link.mjs'
import { MemoryStore } from '../support/memory-store.js'
import { until } from '../support/runner-site.js'
import { settingsForSshd } from '../support/sftp-settings.js'
import { describeWithMounts, mountDisk, type SmallDisk } from '../support/small-disk.js'
import { describeWithSshd, startSshd, type Sshd, type SshdOptions } from '../support/sshd.js'
import { uploadOverWire, type WireOutcome, type WireUpload } from '../support/wire-upload.js'

const MIB = 1024 * 1024
const OLD = 'the old file'

describeWithSshd('OpenSSH', () => {
  let local: string
  let sshd: Sshd
  let link: Link
  let site: string
  let store: MemoryStore
  let attempt = 0
  const closing: (() => unknown)[] = []

  beforeEach(async () => {
    local = await mkdtemp(join(tmpdir(), 'faults-'))
    closing.push(() => rm(local, { recursive: true }))
    store = new MemoryStore()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function start(options: SshdOptions = {}): Promise<void> {
    sshd = await startSshd(options)
    closing.push(() => sshd.close())
    link = await startLink({ port: sshd.port })
    closing.push(() => link.close())
    site = join(sshd.root, 'site')
    await mkdir(site)
  }

  /** One more attempt of the job, over the link. */
  function upload(
    options: Partial<WireUpload> = {},
    changes: Partial<ServerSettings> = {}
  ): Promise<WireOutcome> {
    const { host } = sshd
    const hostKeys = createHostKeyPolicy(
      { check: 'strict', knownHosts: sshd.formatKnownHosts(link.port), fingerprints: [] },
      { host, port: link.port }
    )
    return uploadOverWire({
      settings: settingsForSshd(sshd, { port: link.port, hostKeys, ...changes }),
      directory: local,
      remote: site,
      connections: 4,
      retries: 5,
      state: { store, writer: { run: '1', attempt: ++attempt, runner: 'a' } },
      world: { clock: hurriedClock(5) },
      ...options
    })
  }

  async function expectInPlace({ results }: WireOutcome): Promise<void> {
    expect(results.flatMap(({ error }) => error ?? [])).toEqual([])
    for (const { file } of results) {
      expect((await readFile(file.remote)).equals(await readFile(file.local))).toBe(true)
    }
    expect((await readdir(site)).filter(name => name.includes('.part'))).toEqual([])
  }

  /** The line is dark until sshd has given up every connection. */
  async function darkUntilGivenUp(): Promise<void> {
    link.pause()
    const sessions = async () => (await sshd.pids()).sessions.length
    await until(async () => (await sessions()) > 0, 30_000, 'sshd serves a connection')
    await until(async () => (await sessions()) === 0, 30_000, 'sshd gives it up')
    link.resume()
  }

  function retried({ events }: WireOutcome): UploadError[] {
    return events.flatMap(event => (event.type === 'retrying' ? [event.error] : []))
  }

  test('that comes back after it was restarted in the middle gets what is missing', async () => {
    await start()
    await writeTree(local, { 'app.bin': 24 * MIB })
    link.bytesPerSecond = 40 * MIB
    void link.waitFor(10 * MIB).then(() => sshd.restart())
    const outcome = await upload()
    expect(retried(outcome).map(({ code }) => code)).toContain('connection-lost')
    expect(outcome.results[0]?.sentBytes).toBeLessThan(24 * MIB + 16 * MIB)
    await expectInPlace(outcome)
  })

  test('that changes its keys again and again in the middle is no trouble', async () => {
    await start({ options: ['RekeyLimit 1M', 'LogLevel DEBUG1'] })
    await writeTree(local, { 'app.bin': 20 * MIB })
    await expectInPlace(await upload())
    expect(sshd.log().match(/rekeying in progress|rekey in|NEWKEYS sent/g)?.length).toBeGreaterThan(8)
  })

  test('that ends a silent session is connected to again', async () => {
    // Ends it after 6 s: one that is only slow on a busy machine has all that time for its first sign of life.
    await start({ options: ['ClientAliveInterval 2', 'ClientAliveCountMax 2'] })
    await writeTree(local, { 'app.bin': 24 * MIB })
    link.bytesPerSecond = 40 * MIB
    const dark = link.waitFor(10 * MIB).then(() => darkUntilGivenUp())
    const outcome = await upload({ connections: 1 }, { stallTimeoutMs: 45_000 })
    await dark
    expect(sshd.log()).toMatch(/Timeout, client not responding/)
    expect(retried(outcome).map(({ code }) => code)).toEqual(['connection-lost'])
    await expectInPlace(outcome)
  })

  test('whose patience with a login ends is connected to again', async () => {
    await start({ options: ['LoginGraceTime 2'] })
    await writeTree(local, { 'app.bin': 100 })
    const dark = link.waitFor(100).then(() => darkUntilGivenUp())
    const outcome = await upload({}, { connectTimeoutMs: 45_000 })
    await dark
    expect(retried(outcome)[0]).toMatchObject({ code: 'connection-lost' })
    await expectInPlace(outcome)
  })

  test('at its limit of logins at once is waited for, with a word about the limit', async () => {
    await start({ options: ['MaxStartups 1', 'LoginGraceTime 20'] })
    await writeTree(local, { 'app.bin': 100 })
    const other = await unfinishedLogin(sshd)
    const emitted: UploadError[] = []
    const outcome = await upload({
      retries: 10,
      world: {
        clock: hurriedClock(5),
        emit: event => {
          if (event.type !== 'retrying') return
          emitted.push(event.error)
          other.destroy()
        }
      }
    })
    expect(emitted[0]).toMatchObject({
      code: 'connection-lost',
      message: expect.stringMatching(/MaxStartups/)
    })
    await expectInPlace(outcome)
  })

  test('at its limit of logins at once for further connections gets the files over those that it took', async () => {
    await start({ options: ['MaxStartups 1:100:1'] })
    await writeTree(local, { 'app.bin': 24 * MIB, 'other.bin': 12 * MIB })
    const outcome = await upload({ retries: 0 })
    await expectInPlace(outcome)
    expect(sshd.log()).toMatch(/past MaxStartups|MaxStartups throttling/)
    const told = outcome.events.flatMap(event => (event.type === 'notice' ? [event.text] : []))
    expect(told).toEqual([
      expect.stringMatching(
        /^The server takes no further connection \(connect to .*\); going on with [123] connections?\.$/
      )
    ])
    const lanes = outcome.events.flatMap(event => (event.type === 'connected' ? [event.lanes] : []))
    expect(Math.max(...lanes)).toBeLessThan(4)
  })

  test.each([1, 3])(
    'with few handles gets many small files in one run, and says how many it lets open (%i connections)',
    async connections => {
      // A server that tells its limits may do so before the first file: then nothing is refused.
      await start({ sftp: 'external', sftpArguments: '-P limits', before: 'ulimit -n 12' })
      const sizes = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`file-${index}`, 40]))
      await writeTree(local, { ...sizes, 'app.bin': 5 * MIB })
      const outcome = await upload({ connections, retries: 0 })
      await expectInPlace(outcome)
      const told = outcome.events.filter(
        event => event.type === 'notice' && /only \d+ files? be open at once/.test(event.text)
      )
      expect(told).toHaveLength(1)
    }
  )

  test('that only reads says so, and nothing is tried twice', async () => {
    await start({ sftpArguments: '-R' })
    await writeTree(local, { 'app.bin': 3 * MIB, 'small.bin': 10 })
    const outcome = await upload()
    for (const { error } of outcome.results) {
      expect(error).toMatchObject({
        code: 'permission',
        message: expect.stringMatching(/^open .*: Permission denied/)
      })
    }
    expect(retried(outcome)).toEqual([])
  })

  describeWithMounts('with disks of its own', () => {
    let disk: SmallDisk

    async function startWithDisk(mebibytes: number, option?: string): Promise<void> {
      await start()
      disk = mountDisk(join(sshd.root, 'disk'), mebibytes, option)
      site = disk.path
      closing.push(() => disk.close())
    }

    test.each([1, 4])(
      'that is full: one clear error, the old file stays, and a re-run continues (%i connections)',
      async connections => {
        await startWithDisk(24)
        await writeTree(local, { 'app.bin': 40 * MIB, 'small.bin': 10 })
        await writeFile(join(site, 'app.bin'), OLD)
        const outcome = await upload({ connections })
        const [app] = outcome.results
        expect(app).toMatchObject({
          status: 'failed',
          error: { code: 'no-space', message: expect.stringMatching(/^write .*app\.bin.*disk is full/) }
        })
        expect(retried(outcome)).toEqual([])
        expect(await readFile(join(site, 'app.bin'), 'utf8')).toBe(OLD)

        disk.resize(96)
        const next = await upload({ connections })
        expect(next.results[0]?.reusedBytes).toBeGreaterThan(2 * MIB)
        await expectInPlace(next)
      }
    )

    test('that is full for small files, too: says so once', async () => {
      await startWithDisk(1)
      await writeTree(
        local,
        Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`file-${index}`, 100_000]))
      )
      const { results } = await upload({ retries: 0 })
      const failed = results.filter(({ status }) => status === 'failed')
      expect(failed.length).toBeGreaterThan(20)
      expect(new Set(failed.map(({ error }) => error?.code))).toEqual(new Set(['no-space']))
    })

    test('that is read-only: says so by name, without a retry', async () => {
      await startWithDisk(8, 'ro')
      await writeTree(local, { 'app.bin': 3 * MIB, 'small.bin': 10 })
      const outcome = await upload()
      for (const { error } of outcome.results) {
        expect(error).toMatchObject({
          code: 'server-failure',
          message: expect.stringMatching(/^open .*: Failure/)
        })
      }
      expect(retried(outcome)).toEqual([])
    })
  })
})

/** A connection that has not logged in, and counts as such. */
async function unfinishedLogin({ host, port }: Sshd): Promise<Socket> {
  const socket = createConnection({ host, port })
  await once(socket, 'data')
  return socket
}
