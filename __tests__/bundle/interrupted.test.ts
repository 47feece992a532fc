import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { open, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeArtifact } from '../support/artifact.js'
import { acknowledgedBlocks } from '../support/cache-service-archive.js'
import type { Inputs, Phase, PhaseResult, Runner } from '../support/runner.mjs'
import {
  expectSameTree,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  until,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte
const old = 'the version before'
const builtAt = new Date('2026-01-02T03:04:05Z')

describeWithSshd('an interrupted upload', () => {
  const site = useSite()

  beforeEach(async () => {
    await makeDirectory(site.target)
    await writeFile(join(site.target, 'app.bin'), old)
    site.link.bytesPerSecond = 40 * mebibyte
  })

  /** Makes the artifact as a build does: the same bytes, another time. */
  async function build(machine: Runner): Promise<string> {
    const directory = await makeDirectory(machine.workspace, 'build')
    await writeArtifact(join(directory, 'app.bin'), size, 'app')
    return directory
  }

  /** The first attempt, whose line is cut for good in the middle. */
  async function cutInTheMiddle(inputs: Inputs, machine: Runner): Promise<PhaseResult> {
    void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
    const { main, post } = await machine.run(inputs)
    site.link.refuse = false
    expect(main.exitCode).toBe(1)
    expect(warningsOf(main, post)).toEqual([])
    return main
  }

  async function expectOldTarget() {
    expect((await readFile(join(site.target, 'app.bin'))).toString('latin1', 0, 100)).toBe(old)
  }

  function expectIncomplete({ exitCode, outputs, summary }: PhaseResult) {
    expect(exitCode).toBe(1)
    expect(outputs).toMatchObject({ state: 'incomplete', 'failed-count': '1', 'uploaded-count': '0' })
    expect(outputs['total-bytes']).toBe(String(size))
    expect(summary).toContain('not in place')
  }

  /** Runs the job's second attempt, elsewhere, and tells how many bytes went over the line. */
  async function runAgain(inputs = site.inputs()): Promise<{ result: PhaseResult; sent: number }> {
    site.link.refuse = false
    site.link.bytesPerSecond = undefined
    const machine = await site.machine({ attempt: 2 })
    const directory = await build(machine)
    const before = site.link.sent
    const { main, post } = await machine.run(inputs)
    expect(warningsOf(main, post)).toEqual([])
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1', 'uploaded-count': '1' })
    expect(numberOf(main, 'sent-bytes') + numberOf(main, 'reused-bytes')).toBe(size)
    await expectSameTree(site.target, directory)
    return { result: main, sent: site.link.sent - before }
  }

  test('by the line: a re-run elsewhere sends what is missing', async () => {
    const machine = await site.machine()
    await build(machine)
    const main = await cutInTheMiddle(site.inputs(), machine)
    expectIncomplete(main)
    await expectOldTarget()
    expect(await listFiles(site.target)).toHaveLength(2)

    const { sent } = await runAgain()
    expect(sent).toBeLessThan(size - cutAt + fewBlocks)
  })

  test('by the line again and again: each attempt goes on', async () => {
    const kept: number[] = []
    for (const attempt of [1, 2, 3]) {
      const machine = await site.machine({ attempt })
      await build(machine)
      void site.link.cutAfter(9 * mebibyte).then(() => (site.link.refuse = true))
      const { main } = await machine.run(site.inputs())
      site.link.refuse = false
      kept.push(numberOf(main, 'reused-bytes'))
      await expectOldTarget()
      if (attempt < 3) expectIncomplete(main)
    }
    expect(kept).toEqual([...kept].sort((a, b) => a - b))
    expect(kept.at(-1)).toBeGreaterThan(2 * mebibyte)
  })

  describe('by a kill', () => {
    /** Starts the upload, slowly, with a checkpoint each second. */
    async function startSlowly(machine: Runner): Promise<Phase> {
      await build(machine)
      site.link.bytesPerSecond = 6 * mebibyte
      return machine.startMain(site.inputs({ 'checkpoint-interval': '1' }))
    }

    test('without post: a re-run goes on from the last checkpoint in the cache', async () => {
      const machine = await site.machine()
      const phase = await startSlowly(machine)
      await until(() => site.cache.entries.length > 0, 20_000, 'a checkpoint is in the cache')
      phase.killTree()
      expect((await phase.done).signal).toBe('SIGKILL')
      await expectOldTarget()

      const checkpoint = (await acknowledgedBlocks(site.cache)).length * mebibyte
      expect(checkpoint).toBeGreaterThan(mebibyte)
      const { result, sent } = await runAgain()
      expect(numberOf(result, 'reused-bytes')).toBe(checkpoint)
      expect(sent).toBeLessThan(size - checkpoint + mebibyte)
    })

    test('with post: what was on the disk only comes into the cache, and a re-run goes on from there', async () => {
      const machine = await site.machine()
      site.cache.faults.silent = true
      site.cache.faults.methods = ['CreateCacheEntry']
      const phase = await startSlowly(machine)
      const isSaving = () => site.cache.requests.some(({ method }) => method === 'CreateCacheEntry')
      await until(isSaving, 20_000, 'a checkpoint is on its way')
      phase.killTree()
      await phase.done
      expect(site.cache.entries).toEqual([])

      site.cache.faults.silent = false
      const post = await machine.runPost()
      expect([post.exitCode, warningsOf(post)]).toEqual([0, []])
      expect(site.cache.entries).toHaveLength(1)
      const checkpoint = (await acknowledgedBlocks(site.cache)).length * mebibyte
      expect(checkpoint).toBeGreaterThan(mebibyte)
      const { result } = await runAgain()
      expect(numberOf(result, 'reused-bytes')).toBe(checkpoint)
    })

    test('before anything was sent: post has nothing to do', async () => {
      const machine = await site.machine()
      await build(machine)
      site.link.pause()
      const phase = await machine.startMain(site.inputs())
      await until(() => site.link.connections > 0, 20_000, 'a connection')
      phase.killTree()
      await phase.done
      const post = await machine.runPost()
      expect([post.exitCode, warningsOf(post)]).toEqual([0, []])
      expect(site.cache.entries).toEqual([])
    })
  })

  describe('by a signal', () => {
    /** Sends the signals in the middle, and tells how long the process went on. */
    async function stopInTheMiddle(signals: readonly NodeJS.Signals[]) {
      const machine = await site.machine()
      await build(machine)
      site.link.bytesPerSecond = 12 * mebibyte
      const phase = await machine.startMain(site.inputs())
      await site.link.waitFor(10 * mebibyte)
      const at = performance.now()
      for (const signal of signals) phase.kill(signal)
      const main = await phase.done
      return { machine, main, tookMs: performance.now() - at }
    }

    test.each<[string, NodeJS.Signals[]]>([
      ['SIGINT', ['SIGINT']],
      ['SIGTERM', ['SIGTERM']],
      ['a second SIGINT right after the first', ['SIGINT', 'SIGINT']],
      ['SIGINT and SIGTERM', ['SIGINT', 'SIGTERM']]
    ])('%s: it ends in time, tells where it stands, and a re-run goes on', async (_name, signals) => {
      const { main, tookMs } = await stopInTheMiddle(signals)
      expect(tookMs).toBeLessThan(5000)
      expectIncomplete(main)
      expect(main.streamsHeldOpen).toBe(false)
      expect(warningsOf(main)).toEqual([])
      await expectOldTarget()
      expect(site.cache.entries).toHaveLength(1)

      const { sent } = await runAgain()
      expect(sent).toBeLessThan(size - 10 * mebibyte + fewBlocks)
    })

    test('while the network is dark and the cache silent: it ends in time, and post saves the state', async () => {
      const machine = await site.machine()
      await build(machine)
      site.link.bytesPerSecond = 12 * mebibyte
      const phase = await machine.startMain(site.inputs())
      await site.link.waitFor(10 * mebibyte)
      site.link.pause()
      site.cache.faults.silent = true
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(5000)
      expectIncomplete(main)
      await expectOldTarget()

      site.link.cut()
      site.link.resume()
      site.cache.faults.silent = false
      expect((await machine.runPost()).exitCode).toBe(0)
      expect(site.cache.entries).toHaveLength(1)
      const { sent } = await runAgain()
      expect(sent).toBeLessThan(size - 10 * mebibyte + fewBlocks)
    })

    test('before the login: it ends in time', async () => {
      const machine = await site.machine()
      await build(machine)
      site.link.pause()
      const phase = await machine.startMain(site.inputs())
      await until(() => site.link.connections > 0, 20_000, 'a connection')
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(5000)
      expectIncomplete(main)
    })
  })

  describe('and rebuilt with a change in an early block', () => {
    /** Changes the artifact in its second block, and gives it a time. */
    async function rebuild(directory: string, builtAgainAt: Date): Promise<void> {
      const path = join(directory, 'app.bin')
      const file = await open(path, 'r+')
      await file.write(Buffer.from('rebuilt'), 0, 7, 1.5 * mebibyte)
      await file.close()
      await utimes(path, builtAgainAt, builtAgainAt)
    }

    async function cutAndRebuild(verify: string, builtAgainAt: Date) {
      const first = await site.machine()
      await utimes(join(await build(first), 'app.bin'), builtAt, builtAt)
      await cutInTheMiddle(site.inputs({ verify }), first)
      const acknowledged = await acknowledgedBlocks(site.cache)
      expect(acknowledged).toContain(1)

      const second = await site.machine({ attempt: 2 })
      const directory = await build(second)
      await rebuild(directory, builtAgainAt)
      site.link.bytesPerSecond = undefined
      const before = site.link.sent
      const { main, post } = await second.run(site.inputs({ verify }))
      expect(warningsOf(main, post)).toEqual([])
      expect(main.exitCode).toBe(0)
      await expectSameTree(site.target, directory)
      return { main, sent: site.link.sent - before, acknowledged: acknowledged.length * mebibyte }
    }

    const tomorrow = new Date(builtAt.getTime() + 86_400_000)
    test.each([
      ['size', tomorrow],
      ['tail', tomorrow],
      ['full', tomorrow],
      ['timestamp', builtAt]
    ])('with verify %s: sends that block and the missing ones only', async (verify, builtAgainAt) => {
      const { main, sent, acknowledged } = await cutAndRebuild(verify, builtAgainAt)
      expect(numberOf(main, 'reused-bytes')).toBe(acknowledged - mebibyte)
      expect(numberOf(main, 'sent-bytes')).toBe(size - acknowledged + mebibyte)
      expect(sent).toBeLessThan(size - acknowledged + 2 * mebibyte)
    })

    test('with verify timestamp and another time: starts from zero and says why', async () => {
      const { main } = await cutAndRebuild('timestamp', tomorrow)
      expect(main.outputs).toMatchObject({ 'reused-bytes': '0', 'sent-bytes': String(size) })
      expect(main.log).toMatch(
        /Starting .*app\.bin from 0: .*modification time was 2026-01-02T03:04:05.*is 2026-01-03/
      )
    })

    test('with verify tail and another tail: starts from zero and says why', async () => {
      const first = await site.machine()
      await build(first)
      await cutInTheMiddle(site.inputs({ verify: 'tail' }), first)
      const second = await site.machine({ attempt: 2 })
      const directory = await build(second)
      const file = await open(join(directory, 'app.bin'), 'r+')
      await file.write(Buffer.from('rebuilt'), 0, 7, size - 100)
      await file.close()
      const { main } = await second.run(site.inputs({ verify: 'tail' }))
      expect(main.outputs).toMatchObject({ state: 'complete', 'reused-bytes': '0' })
      expect(main.log).toMatch(/Starting .*app\.bin from 0: .*last 1 MiB/)
      await expectSameTree(site.target, directory)
    })

    test('with another size: starts from zero, says why, and leaves no part file', async () => {
      const first = await site.machine()
      await build(first)
      await cutInTheMiddle(site.inputs(), first)
      const second = await site.machine({ attempt: 2 })
      const directory = await makeDirectory(second.workspace, 'build')
      await writeArtifact(join(directory, 'app.bin'), size + 1, 'app')
      const { main } = await second.run(site.inputs())
      expect(main.outputs).toMatchObject({ state: 'complete', 'reused-bytes': '0' })
      expect(main.log).toMatch(/Starting .*app\.bin from 0: .*size was .*25,178,169.*is .*25,178,170/)
      await expectSameTree(site.target, directory)
    })
  })

  describe('in the same job', () => {
    test('goes on in a second step', async () => {
      const machine = await site.machine()
      const directory = await build(machine)
      await cutInTheMiddle(site.inputs(), machine)
      site.link.bytesPerSecond = undefined
      const before = site.link.sent
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
      expect(site.link.sent - before).toBeLessThan(size - cutAt + fewBlocks)
      expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      await expectSameTree(site.target, directory)
    })

    test('goes on in a second step without a cache service', async () => {
      const machine = await site.machine({ withCache: false })
      const directory = await build(machine)
      void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
      expect((await machine.run(site.inputs())).main.exitCode).toBe(1)
      site.link.refuse = false
      const before = site.link.sent
      const { main } = await machine.run(site.inputs())
      expect(site.link.sent - before).toBeLessThan(size - cutAt + fewBlocks)
      expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      await expectSameTree(site.target, directory)
    })

    test('goes on in the same step when the line comes back', async () => {
      const machine = await site.machine()
      const directory = await build(machine)
      void site.link.cutAfter(8 * mebibyte).then(() => site.link.cutAfter(8 * mebibyte))
      const { main, post } = await machine.run(site.inputs({ retries: '5' }))
      expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
      await expectSameTree(site.target, directory)
      expect(main.log.match(/Retry 1 of 5/g)).toHaveLength(2)
      expect(site.link.sent).toBeLessThan(size + 2 * fewBlocks)
      expect(main.outputs).toMatchObject({ state: 'complete', 'uploaded-count': '1' })
    })
  })

  test('of two runs at once leaves one whole version', async () => {
    const runs = await Promise.all(
      [1, 2].map(async runId => {
        const machine = await site.machine({ runId })
        const directory = await makeDirectory(machine.workspace, 'build')
        await writeArtifact(join(directory, 'app.bin'), size, runId)
        const phase = await machine.startMain(site.inputs({ 'checkpoint-interval': '1' }))
        return { directory, phase }
      })
    )
    site.link.bytesPerSecond = 16 * mebibyte
    const results = await Promise.all(runs.map(({ phase }) => phase.done))
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(await listFiles(site.target)).toEqual(['app.bin'])
    const uploaded = await readFile(join(site.target, 'app.bin'))
    const versions = await Promise.all(runs.map(({ directory }) => readFile(join(directory, 'app.bin'))))
    expect(versions.some(version => version.equals(uploaded))).toBe(true)
  })
})
