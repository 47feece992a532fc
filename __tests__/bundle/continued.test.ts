import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeArtifact } from '../support/artifact.js'
import {
  buildArtifact,
  expectSameTree,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  stateFiles,
  until,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte

describeWithSshd('an upload that goes on', () => {
  const site = useSite()

  beforeEach(() => {
    site.link.bytesPerSecond = 40 * mebibyte
  })

  describe('in the same job', () => {
    test('goes on in a second step', async () => {
      const machine = await site.machine()
      const directory = await buildArtifact(machine, size)
      await site.runAndCut(machine, cutAt)
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
      const directory = await buildArtifact(machine, size)
      await site.runAndCut(machine, cutAt)
      const before = site.link.sent
      const { main } = await machine.run(site.inputs())
      expect(site.link.sent - before).toBeLessThan(size - cutAt + fewBlocks)
      expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      for (const state of await stateFiles(site.target)) await rm(state)
      await expectSameTree(site.target, directory)
    })

    test('goes on in the same step when the line comes back', async () => {
      const machine = await site.machine()
      const directory = await buildArtifact(machine, size)
      void site.link.cutAfter(8 * mebibyte).then(() => site.link.cutAfter(8 * mebibyte))
      const { main, post } = await machine.run(site.inputs({ retries: '5' }))
      expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
      await expectSameTree(site.target, directory)
      expect(main.log.match(/Retry \d of 5/g)).toHaveLength(2)
      expect(site.link.sent).toBeLessThan(size + 2 * fewBlocks)
      expect(main.outputs).toMatchObject({ state: 'complete', 'uploaded-count': '1' })
    })
  })

  describe('in a later run', () => {
    async function runLater() {
      site.link.bytesPerSecond = undefined
      const machine = await site.machine({ runId: 2 })
      const directory = await buildArtifact(machine, size)
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
      const uploaded = await readFile(join(site.target, 'app.bin'))
      expect(uploaded.equals(await readFile(join(directory, 'app.bin')))).toBe(true)
      return main
    }

    test('goes on after a run that has ended', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      const cut = await site.runAndCut(machine, cutAt)
      const main = await runLater()
      expect(numberOf(main, 'reused-bytes')).toBeGreaterThan(cutAt - fewBlocks)
      expect(main.log).toContain('Continuing')
      expect(cut.main.log).toContain('A re-run continues with')
    })

    test('starts from zero while the other run may still be at work', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      site.link.bytesPerSecond = 6 * mebibyte
      const phase = await machine.startMain(site.inputs({ 'checkpoint-interval': '1' }))
      await until(() => site.cache.entries.length > 0, 20_000, 'a checkpoint is in the cache')
      phase.killTree()
      await phase.done
      const main = await runLater()
      expect(main.outputs['reused-bytes']).toBe('0')
      expect(main.log).toContain('Run 1 may still be uploading')
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
