import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeTree } from '../support/artifact.js'
import { blocksIn } from '../support/cache-service-archive.js'
import type { Inputs, PhaseResult, Runner } from '../support/runner.mjs'
import {
  buildArtifact,
  buildTree,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  startUntilConnected,
  stateFiles,
  until,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte

describeWithSshd('the state on the server', () => {
  const site = useSite()
  const inputs = (more: Inputs = {}) => site.inputs({ state: 'server', ...more })

  beforeEach(() => {
    site.link.bytesPerSecond = 40 * mebibyte
  })

  /** The only file that holds state. */
  async function stateFile(): Promise<string> {
    const [path, ...others] = await stateFiles(site.target)
    if (path === undefined || others.length > 0) throw new Error('there is not one state file')
    return path
  }

  /** A whole file, one state file, and nothing else. */
  async function expectInPlace(directory: string): Promise<void> {
    expect(await listFiles(site.target)).toEqual([basename(await stateFile()), 'app.bin'])
    const uploaded = await readFile(join(site.target, 'app.bin'))
    expect(uploaded.equals(await readFile(join(directory, 'app.bin')))).toBe(true)
  }

  interface Again {
    readonly attempt?: number
    readonly runId?: number
    readonly withCache?: boolean
    readonly given?: Inputs
  }

  /** Runs the job again on another machine, which must succeed, and tells how many bytes went over the line. */
  async function runAgain({ attempt = 2, runId = 1, withCache = false, given = inputs() }: Again = {}) {
    site.link.bytesPerSecond = undefined
    const machine = await site.machine({ attempt, runId, withCache })
    const directory = await buildArtifact(machine, size)
    const before = site.link.sent
    const { main, post } = await machine.run(given)
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    return { main, post, directory, sent: site.link.sent - before }
  }

  async function expectContinued(again: Again = {}): Promise<PhaseResult> {
    const { main, post, directory, sent } = await runAgain(again)
    expect(warningsOf(main, post)).toEqual([])
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
    expect(numberOf(main, 'sent-bytes') + numberOf(main, 'reused-bytes')).toBe(size)
    expect(sent).toBeLessThan(numberOf(main, 'sent-bytes') + mebibyte)
    await expectInPlace(directory)
    return main
  }

  /** Runs main and post over a line that is cut once, and is well again at once. */
  async function runCutOnce(machine: Runner, given: Inputs) {
    await buildArtifact(machine, size)
    void site.link.cutAfter(cutAt)
    const run = await machine.run(given)
    expect(run.main.exitCode).toBe(1)
    return run
  }

  async function blocks(): Promise<number[]> {
    return blocksIn(await readFile(await stateFile(), 'utf8'))
  }

  async function startSlowly(machine: Runner) {
    await buildArtifact(machine, size)
    site.link.bytesPerSecond = 6 * mebibyte
    const phase = await machine.startMain(inputs({ 'checkpoint-interval': '1', connections: '1' }))
    const hasBlocks = async () => (await stateFiles(site.target)).length > 0 && (await blocks()).length > 2
    await until(hasBlocks, 20_000, 'a checkpoint with blocks is on the server')
    return phase
  }

  test('is one file with a name that tells what it is, for the login alone, and tells nothing', async () => {
    const { main, post, directory } = await runAgain({ attempt: 1, withCache: true })
    expect(warningsOf(main, post)).toEqual([])
    await expectInPlace(directory)
    const path = await stateFile()
    const text = await readFile(path, 'utf8')
    for (const told of ['app', 'test-', site.target, site.sshd.host, site.sshd.username]) {
      expect(basename(path) + text).not.toContain(told)
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(site.cache.entries).toEqual([])
    expect(site.link.connections).toBeLessThanOrEqual(4)
  })

  test('lets a re-run elsewhere send what is missing after the line was cut', async () => {
    const machine = await site.machine({ withCache: false })
    const { main, post } = await runCutOnce(machine, inputs())
    expect(warningsOf(main, post)).toEqual([])
    expect(main.log).toContain('A re-run continues with')
    const again = await expectContinued()
    expect(numberOf(again, 'reused-bytes')).toBeGreaterThan(cutAt - fewBlocks)
  })

  test('lets a re-run go on from the last checkpoint after the machine was lost', async () => {
    const phase = await startSlowly(await site.machine({ withCache: false }))
    phase.killTree()
    await phase.done
    const checkpoint = (await blocks()).length * mebibyte
    const main = await expectContinued()
    expect(numberOf(main, 'reused-bytes')).toBe(checkpoint)
  })

  test('is closed by post after a kill: another run goes on from it', async () => {
    const machine = await site.machine({ withCache: false })
    const phase = await startSlowly(machine)
    phase.killTree()
    await phase.done
    const post = await machine.runPost()
    expect([post.exitCode, warningsOf(post)]).toEqual([0, []])
    await expectContinued({ attempt: 1, runId: 2 })
  })

  test('is saved in time after a cancel', async () => {
    const machine = await site.machine({ withCache: false })
    await buildArtifact(machine, size)
    site.link.bytesPerSecond = 12 * mebibyte
    const { phase, endsWithinMs } = await startUntilConnected(site, machine, inputs())
    await site.link.waitFor(10 * mebibyte)
    const at = performance.now()
    const main = await phase.cancel()
    expect(performance.now() - at).toBeLessThan(endsWithinMs)
    expect([main.exitCode, warningsOf(main)]).toEqual([1, []])
    await expectContinued()
  })

  test('is saved by post when the network was dark at the cancel', async () => {
    const machine = await site.machine({ withCache: false })
    await buildArtifact(machine, size)
    site.link.bytesPerSecond = 12 * mebibyte
    const { phase, endsWithinMs } = await startUntilConnected(site, machine, inputs())
    await site.link.waitFor(10 * mebibyte)
    site.link.pause()
    const at = performance.now()
    await phase.cancel()
    expect(performance.now() - at).toBeLessThan(endsWithinMs)
    expect(await stateFiles(site.target)).toEqual([])
    site.link.cut()
    site.link.resume()
    const post = await machine.runPost()
    expect([post.exitCode, warningsOf(post)]).toEqual([0, []])
    await expectContinued()
  })

  test('goes to the cache while the server is out of reach, and a re-run finds it there', async () => {
    const machine = await site.machine()
    await buildArtifact(machine, size)
    const { main, post } = await site.runAndCut(machine, cutAt, inputs())
    expect(warningsOf(main, post)).toEqual([])
    expect(await stateFiles(site.target)).toEqual([])
    expect(site.cache.entries).toHaveLength(1)
    await expectContinued({ withCache: true })
  })

  describe('stands in for the cache', () => {
    test('where there is none: one line says so, and a re-run sends what is missing', async () => {
      const machine = await site.machine({ withCache: false })
      const { main, post } = await runCutOnce(machine, site.inputs())
      expect(warningsOf(main, post)).toEqual([])
      expect(main.log.match(/no Actions cache/g)).toHaveLength(1)
      await expectContinued({ given: site.inputs() })
    })

    test('where it may only be read, and holds what an earlier run left there', async () => {
      const first = await site.machine({ runId: 1 })
      await buildTree(first, { 'app.bin': 'an earlier version' })
      expect((await first.run(site.inputs())).main.exitCode).toBe(0)
      expect(site.cache.entries).toHaveLength(1)

      Object.assign(site.cache.faults, { status: 403, methods: ['CreateCacheEntry'] })
      const { main, post } = await runCutOnce(await site.machine({ runId: 2 }), site.inputs())
      expect(warningsOf(main, post)).toHaveLength(1)
      const { main: again, directory } = await runAgain({ runId: 2, withCache: true, given: site.inputs() })
      expect(numberOf(again, 'reused-bytes')).toBeGreaterThan(cutAt - fewBlocks)
      await expectInPlace(directory)
    })
  })

  describe('goes with', () => {
    test('a dry run, which reads it and writes nothing', async () => {
      const first = await runAgain({ attempt: 1, given: site.inputs({ 'dry-run': 'true' }) })
      expect(await stateFiles(site.target)).toEqual([])
      expect(first.main.log).not.toContain('Actions cache')

      site.link.bytesPerSecond = 40 * mebibyte
      await runCutOnce(await site.machine({ withCache: false }), inputs())
      const before = await readFile(await stateFile())
      const { main: preview } = await runAgain({ given: inputs({ 'dry-run': 'true' }) })
      expect(await readFile(await stateFile())).toEqual(before)
      const kept = numberOf(preview, 'reused-bytes')
      expect(kept).toBeGreaterThan(cutAt - fewBlocks)
      const main = await expectContinued()
      expect(numberOf(main, 'reused-bytes')).toBe(kept)
    })

    test('delete, which leaves it where it is', async () => {
      await writeTree(await makeDirectory(site.target), { 'old.html': 'old' })
      const given = inputs({ delete: 'true' })
      const { main, directory } = await runAgain({ attempt: 1, given })
      expect(main.outputs).toMatchObject({ 'uploaded-count': '1', 'deleted-count': '1' })
      await expectInPlace(directory)
      const { main: again } = await runAgain({ given })
      expect(again.outputs).toMatchObject({ 'skipped-count': '1', 'deleted-count': '0' })
      await expectInPlace(directory)
    })

    test('publish: together, whose old files stay until then', async () => {
      await writeTree(await makeDirectory(site.target), { 'app.bin': 'old' })
      const given = inputs({ publish: 'together' })
      await runCutOnce(await site.machine({ withCache: false }), given)
      expect(await readFile(join(site.target, 'app.bin'), 'utf8')).toBe('old')
      await expectContinued({ given })
    })

    test('shards, each of which has its own', async () => {
      const shards = ['1/2', '2/2']
      const names = Array.from({ length: 20 }, (_, index) => `${index}.txt`)
      for (const attempt of [1, 2]) {
        const counts: number[] = []
        for (const shard of shards) {
          const machine = await site.machine({ attempt, withCache: false })
          await buildTree(machine, Object.fromEntries(names.map(name => [name, name])))
          const { main, post } = await machine.run(inputs({ shard }))
          expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
          counts.push(numberOf(main, attempt === 1 ? 'uploaded-count' : 'skipped-count'))
        }
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(names.length)
        expect(await stateFiles(site.target)).toHaveLength(shards.length)
      }
    })
  })

  describe('that others can write', () => {
    beforeEach(async () => {
      await runCutOnce(await site.machine({ withCache: false }), inputs())
    })

    const withPayload = (change: (payload: string) => string) => (meta: string) => {
      const envelope = JSON.parse(meta) as { payload: string }
      return JSON.stringify({ ...envelope, payload: change(envelope.payload) })
    }

    test.each<[string, (meta: string) => string]>([
      ['is no JSON', () => 'poison'],
      ['is empty', () => ''],
      ['is cut short', meta => meta.slice(0, meta.length / 2)],
      ['has another version', meta => meta.replace('"version":1', '"version":2')],
      ['has another seal', meta => meta.replace(/"seal":"[^"]{6}/, '"seal":"AAAAAA')],
      ['has more blocks', withPayload(payload => payload.replace(/"blocks":"[^"]*"/, '"blocks":"0-24"'))],
      ['has another time', withPayload(payload => payload.replace(/"savedAtMs":1/, '"savedAtMs":2'))]
    ])('and %s: one warning, a full upload, and a good state again', async (_what, change) => {
      const path = await stateFile()
      const before = await readFile(path, 'utf8')
      await writeFile(path, change(before))
      expect(await readFile(path, 'utf8')).not.toBe(before)
      const { main, post } = await runAgain()
      const warnings = warningsOf(main, post)
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toMatch(/\.upload\.meta does not open/)
      expect(main.outputs).toMatchObject({ 'sent-bytes': String(size), 'reused-bytes': '0' })

      const third = await runAgain({ attempt: 3 })
      expect(warningsOf(third.main, third.post)).toEqual([])
      expect(third.main.outputs['skipped-count']).toBe('1')
    })

    test('and is that of another login: one warning, and a full upload', async () => {
      const mine = await stateFile()
      const other = { key: site.sshd.encryptedKey, passphrase: site.sshd.passphrase }
      await runAgain({ attempt: 1, runId: 2, given: inputs(other) })
      const theirs = (await stateFiles(site.target)).find(path => path !== mine) ?? ''
      await rename(theirs, mine)
      const { main, post } = await runAgain()
      expect(warningsOf(main, post)).toHaveLength(1)
      expect(main.outputs['reused-bytes']).toBe('0')
    })

    test('and is in place of nothing: a full upload, without a word', async () => {
      await rm(await stateFile())
      const { main, post } = await runAgain()
      expect(warningsOf(main, post)).toEqual([])
      expect(main.outputs['reused-bytes']).toBe('0')
    })
  })

  test('that cannot be written is one warning, and the files are in place', async () => {
    await runAgain({ attempt: 1 })
    const path = await stateFile()
    await rm(path)
    await mkdir(join(path, 'in its place'), { recursive: true })
    const { main, post } = await runAgain({ runId: 2, attempt: 1, given: inputs({ verify: 'tail' }) })
    expect(warningsOf(main, post)).toHaveLength(1)
    expect(main.outputs.state).toBe('complete')
    expect(main.log).toContain('A re-run starts from zero')
  })

  test('is another one for another state-key', async () => {
    for (const [runId, key] of ['', 'a', 'a'].entries()) {
      const machine = await site.machine({ runId, withCache: false })
      await buildArtifact(machine, mebibyte)
      const { main } = await machine.run(inputs({ 'state-key': key }))
      expect(main.outputs['skipped-count']).toBe(runId === 2 ? '1' : '0')
    }
    expect(await stateFiles(site.target)).toHaveLength(2)
  })
})
