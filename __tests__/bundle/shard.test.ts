import { expect, jest, test } from '@jest/globals'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  buildTree,
  errorsOf,
  expectSameTree,
  listFiles,
  mebibyte,
  numberOf,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const COUNT = 3
const names = Array.from({ length: 30 }, (_, index) => `${index % 4}/file-${index}.bin`)
const tree = Object.fromEntries(names.map((name, index) => [name, 1000 + index]))

describeWithSshd('the shards of an upload', () => {
  const site = useSite()

  /** Runs one job of the matrix on a machine of its own. */
  async function runShard(shard: string, files: Readonly<Record<string, number | string>>, attempt = 1) {
    const machine = await site.machine({ attempt })
    await buildTree(machine, files)
    const { main, post } = await machine.run(site.inputs({ shard }))
    expect([main.exitCode, errorsOf(main), warningsOf(main, post)]).toEqual([0, [], []])
    return main
  }

  function remotesOf({ outputs }: { readonly outputs: Readonly<Record<string, string>> }): string[] {
    return (JSON.parse(outputs.files ?? '') as { remote: string }[]).map(({ remote }) => remote)
  }

  test('put every file in place once, and each skips its own in a re-run', async () => {
    const shares: string[][] = []
    for (let index = 1; index <= COUNT; index++) {
      const main = await runShard(`${index}/${COUNT}`, tree)
      shares.push(remotesOf(main))
      expect(main.outputs).toMatchObject({ state: 'complete' })
      expect(main.log).toMatch(new RegExp(`Shard ${index}/${COUNT} has \\d+ of 30 files, .* of `))
      expect(numberOf(main, 'uploaded-count')).toBeGreaterThan(0)
    }
    expect(shares.flat().sort()).toEqual(names.map(name => join(site.target, name)).sort())
    const machine = await site.machine({ attempt: 2 })
    await expectSameTree(site.target, await buildTree(machine, tree))

    for (let index = 1; index <= COUNT; index++) {
      const main = await runShard(`${index}/${COUNT}`, tree, 2)
      expect(remotesOf(main)).toEqual(shares[index - 1])
      expect(main.outputs).toMatchObject({
        'uploaded-count': '0',
        'skipped-count': String(shares[index - 1]?.length)
      })
    }
  })

  test('keep their files when others come: only these are sent', async () => {
    await runShard('1/2', tree)
    const more = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`new-${index}.bin`, 500]))
    const main = await runShard('1/2', { ...tree, ...more }, 2)
    expect(numberOf(main, 'skipped-count')).toBeGreaterThan(5)
    const sent = numberOf(main, 'uploaded-count')
    expect(sent).toBeGreaterThan(0)
    expect(numberOf(main, 'sent-bytes')).toBe(sent * 500)
  })

  test('one that is interrupted continues on its own', async () => {
    const large = { 'app.bin': 24 * mebibyte }
    const { owner, other } = await shardsOfOne(large)
    const machine = await site.machine()
    await buildTree(machine, large)
    site.link.bytesPerSecond = 16 * mebibyte
    await site.runAndCut(machine, 12 * mebibyte, site.inputs({ shard: owner }))
    site.link.bytesPerSecond = undefined
    expect((await runShard(other, large, 2)).outputs).toMatchObject({ 'total-bytes': '0' })
    const main = await runShard(owner, large, 2)
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
  })

  /** Which of two shards has the only file, found by dry runs, and which has none. */
  async function shardsOfOne(file: Readonly<Record<string, number | string>>) {
    const machine = await site.machine({ runId: 99 })
    await buildTree(machine, file)
    const hasFile = async (shard: string) =>
      remotesOf(await machine.runMain(site.inputs({ shard, 'dry-run': 'true' }))).length === 1
    return (await hasFile('1/2')) ? { owner: '1/2', other: '2/2' } : { owner: '2/2', other: '1/2' }
  }

  test('one without files is a success', async () => {
    const only = { 'only.txt': 'x' }
    const { owner, other } = await shardsOfOne(only)
    const empty = await runShard(other, only)
    expect(empty.outputs).toMatchObject({ state: 'complete', 'total-bytes': '0', files: '[]' })
    expect(empty.log).toContain('has 0 of 1 file, 0 B of 1 B.')
    expect(existsSync(site.target)).toBe(false)
    await runShard(owner, only)
    expect(await listFiles(site.target)).toEqual(['only.txt'])
  })

  test('none is a success when the paths match nothing', async () => {
    const machine = await site.machine()
    const { main } = await machine.run(site.inputs({ shard: '1/2' }))
    expect([main.exitCode, errorsOf(main).join('\n')]).toEqual([1, expect.stringContaining('paths')])
  })
})
