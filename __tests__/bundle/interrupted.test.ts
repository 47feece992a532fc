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
  startUntilConnected,
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

  function expectIncomplete({ exitCode, outputs, summary }: PhaseResult, bytes = size) {
    expect(exitCode).toBe(1)
    expect(outputs).toMatchObject({ state: 'incomplete', 'failed-count': '1', 'uploaded-count': '0' })
    expect(outputs['total-bytes']).toBe(String(bytes))
    expect(summary).toContain('not in place')
  }

  /** Runs the job's next attempt, elsewhere, and tells how many bytes went over the line. */
  async function runAgain({ attempt = 2, bytes = size } = {}): Promise<{
    result: PhaseResult
    sent: number
  }> {
    site.link.refuse = false
    site.link.bytesPerSecond = undefined
    const machine = await site.machine({ attempt })
    const directory = await buildArtifact(machine, bytes)
    const before = site.link.sent
    const { main, post } = await machine.run(site.inputs())
    expect(warningsOf(main, post)).toEqual([])
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1', 'uploaded-count': '1' })
    expect(numberOf(main, 'sent-bytes') + numberOf(main, 'reused-bytes')).toBe(bytes)
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
    // Of the bytes that passed, each of four lanes has 2 MiB in flight at most, and a block that is not whole yet.
    const cutEach = 16 * mebibyte
    const keptEachAtLeast = 2 * mebibyte
    const cuts = 3
    const large = cuts * cutEach + 8 * mebibyte + 12_345
    let kept = 0
    for (let attempt = 1; attempt <= cuts; attempt++) {
      const machine = await site.machine({ attempt })
      await buildArtifact(machine, large)
      const { main } = await site.runAndCut(machine, cutEach)
      expectIncomplete(main, large)
      await expectOldTarget()
      expect([attempt, numberOf(main, 'reused-bytes')]).toEqual([attempt, kept])
      const acknowledged = (await acknowledgedBlocks(site.cache)).length * mebibyte
      expect(acknowledged).toBeGreaterThanOrEqual(kept + keptEachAtLeast)
      kept = acknowledged
    }
    const { result, sent } = await runAgain({ attempt: cuts + 1, bytes: large })
    expect(numberOf(result, 'reused-bytes')).toBe(kept)
    expect(sent).toBeLessThan(large - kept + mebibyte)
  }, 180_000)

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
      const { phase, endsWithinMs } = await startUntilConnected(site, machine, site.inputs())
      await site.link.waitFor(10 * mebibyte)
      const at = performance.now()
      for (const signal of signals) phase.kill(signal)
      const main = await phase.done
      return { main, tookMs: performance.now() - at, endsWithinMs }
    }

    test.each<[string, NodeJS.Signals[]]>([
      ['SIGINT', ['SIGINT']],
      ['SIGTERM', ['SIGTERM']],
      ['a second SIGINT right after the first', ['SIGINT', 'SIGINT']],
      ['SIGINT and SIGTERM', ['SIGINT', 'SIGTERM']]
    ])('%s: it ends in time, tells where it stands, and a re-run goes on', async (_name, signals) => {
      const { main, tookMs, endsWithinMs } = await stopInTheMiddle(signals)
      expect(tookMs).toBeLessThan(endsWithinMs)
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
      const { phase, endsWithinMs } = await startUntilConnected(site, machine, site.inputs())
      await site.link.waitFor(10 * mebibyte)
      site.link.pause()
      site.cache.faults.silent = true
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(endsWithinMs)
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
      const { phase, endsWithinMs } = await startUntilConnected(site, machine, site.inputs())
      await until(() => site.cache.requests.length > 0, 20_000, 'a request to the cache')
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(endsWithinMs)
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
      const { phase, endsWithinMs } = await startUntilConnected(site, machine, site.inputs())
      const at = performance.now()
      const main = await phase.cancel()
      expect(performance.now() - at).toBeLessThan(endsWithinMs)
      expectIncomplete(main)
    })
  })
})
