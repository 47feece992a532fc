import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { acknowledgedBlocks } from '../support/cache-service-archive.js'
import type { Phase, PhaseResult, Runner } from '../support/runner.mjs'
import {
  buildArtifact,
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

const run = promisify(execFile)
const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte
const old = 'the version before'

describeWithSshd('an interrupted upload', () => {
  const site = useSite()

  beforeEach(async () => {
    await makeDirectory(site.target)
    await writeFile(join(site.target, 'app.bin'), old)
    site.link.bytesPerSecond = 40 * mebibyte
  })

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
    const directory = await buildArtifact(machine, size)
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
    await buildArtifact(machine, size)
    const { main, post } = await site.runAndCut(machine, cutAt)
    expectIncomplete(main)
    expect([post?.exitCode, warningsOf(main, post)]).toEqual([0, []])
    await expectOldTarget()
    expect(await listFiles(site.target)).toHaveLength(2)

    const { sent } = await runAgain()
    expect(sent).toBeLessThan(size - cutAt + fewBlocks)
  })

  test('by the line again and again: each attempt goes on', async () => {
    const kept: number[] = []
    for (const attempt of [1, 2, 3]) {
      const machine = await site.machine({ attempt })
      await buildArtifact(machine, size)
      void site.link.cutAfter(7 * mebibyte).then(() => (site.link.refuse = true))
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
      await buildArtifact(machine, size)
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
      await buildArtifact(machine, size)
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
      await buildArtifact(machine, size)
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
      await buildArtifact(machine, size)
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

    test('while it waits for the cache: it ends in time, and leaves no process behind', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      site.cache.faults.silent = true
      const phase = await machine.startMain(site.inputs())
      await until(() => site.cache.requests.length > 0, 20_000, 'a request to the cache')
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(5000)
      expect(main.exitCode).toBe(1)
      expect(main.outputs.state).toBe('incomplete')
      const processes = async () => (await run('ps', ['-A', '-o', 'args='])).stdout
      const ended = async () => !(await processes()).includes(site.actionPath)
      await until(ended, 2000, 'every process of the action has ended')
    })

    test('before the login: it ends in time', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      site.link.pause()
      const phase = await machine.startMain(site.inputs())
      await until(() => site.link.connections > 0, 20_000, 'a connection')
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(5000)
      expectIncomplete(main)
    })
  })
})
