import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sha256File } from '../support/artifact.js'
import {
  buildTree,
  errorsOf,
  expectSameTree,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const run = promisify(execFile)
const tree = {
  'empty.txt': '',
  'two words.txt': 'spaces',
  'café/-n': 'a dash',
  'small.bin': 300_000,
  'one block.bin': mebibyte,
  'large.bin': 12 * mebibyte + 7,
  'larger.bin': 16 * mebibyte + 1
}
const names = Object.keys(tree).sort()

describeWithSshd('a set of files', () => {
  const site = useSite()

  describe('with publish: together', () => {
    const together = { publish: 'together' }

    beforeEach(async () => {
      await makeDirectory(site.target, 'café')
      for (const name of names) await writeFile(join(site.target, name), `old ${name}`)
    })

    async function expectAllOld() {
      for (const name of names) expect(await readFile(join(site.target, name), 'utf8')).toBe(`old ${name}`)
    }

    test('is put in place', async () => {
      const machine = await site.machine()
      const directory = await buildTree(machine, tree)
      const { main, post } = await machine.run(site.inputs(together))
      expect([main.exitCode, post?.exitCode, ...warningsOf(main, post)]).toEqual([0, 0])
      expect(main.outputs['uploaded-count']).toBe(String(names.length))
      await expectSameTree(site.target, directory)
    })

    test('that is cut stays as it was; a re-run elsewhere sends what is missing', async () => {
      const machine = await site.machine()
      await buildTree(machine, tree)
      site.link.bytesPerSecond = 40 * mebibyte
      const { main } = await site.runAndCut(machine, 20 * mebibyte, site.inputs(together))
      expect(main.outputs).toMatchObject({ state: 'incomplete', 'uploaded-count': '0' })
      await expectAllOld()

      const again = await site.machine({ attempt: 2 })
      const directory = await buildTree(again, tree)
      const next = await again.run(site.inputs(together))
      expect([next.main.exitCode, ...warningsOf(next.main, next.post)]).toEqual([0])
      expect(numberOf(next.main, 'sent-bytes')).toBeLessThan(10 * mebibyte + fewBlocks)
      await expectSameTree(site.target, directory)
    })

    test('that is cancelled stays as it was', async () => {
      const machine = await site.machine()
      await buildTree(machine, tree)
      site.link.bytesPerSecond = 12 * mebibyte
      const phase = await machine.startMain(site.inputs(together))
      await site.link.waitFor(15 * mebibyte)
      phase.kill('SIGTERM')
      const main = await phase.done
      expect(main.outputs).toMatchObject({ state: 'incomplete', 'uploaded-count': '0' })
      await expectAllOld()
    })

    test('in which a file cannot be sent stays as it was, and the error is that of the file', async () => {
      const machine = await site.machine()
      const directory = await buildTree(machine, tree)
      await writeFile(join(directory, 'blocked'), 'x')
      await makeDirectory(site.target, 'blocked')
      const { main } = await machine.run(site.inputs(together))
      expect(main.exitCode).toBe(1)
      expect(errorsOf(main).join('\n')).toMatch(
        /^upload .*blocked.*: a directory of that name is in its place/
      )
      expect(main.outputs['failed-count']).toBe(String(names.length + 1))
      await expectAllOld()
    })
  })

  test('has checksums that sha256sum finds right', async () => {
    const machine = await site.machine()
    const directory = await buildTree(machine, tree)
    const inputs = site.inputs({ 'checksum-file': 'meta/SHA256SUMS' })
    const { main, post } = await machine.run(inputs)
    expect([main.exitCode, ...errorsOf(main), ...warningsOf(main, post)]).toEqual([0])
    expect(await listFiles(site.target)).toEqual([...names, 'meta/SHA256SUMS'].sort())
    const { stdout } = await run('sha256sum', ['--check', '--strict', 'meta/SHA256SUMS'], {
      cwd: site.target
    })
    expect(stdout.trim().split('\n').sort()).toEqual(names.map(name => `${name}: OK`).sort())

    const files = JSON.parse(main.outputs.files ?? '') as { local: string; sha256?: string }[]
    expect(files).toHaveLength(names.length + 1)
    for (const { local, sha256 } of files.filter(file => file.local.startsWith(directory)))
      expect(sha256).toBe(await sha256File(local))
    const { local } = files.find(file => !file.local.startsWith(directory)) ?? {}
    expect(local).toContain(machine.temp)
    expect(await listFiles(machine.temp)).not.toContain(local?.slice(machine.temp.length + 1))
  })
})
