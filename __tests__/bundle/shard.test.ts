import { expect, jest, test } from '@jest/globals'
import { join } from 'node:path'
import { writeTree } from '../support/artifact.js'
import {
  errorsOf,
  expectSameTree,
  listFiles,
  makeDirectory,
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
    await writeTree(await makeDirectory(machine.workspace, 'build'), files)
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
    await writeTree(await makeDirectory(machine.workspace, 'build'), tree)
    await expectSameTree(site.target, join(machine.workspace, 'build'))

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
    const shares = await Promise.all(
      ['1/2', '2/2'].map(async shard => ({ shard, main: await dry(shard, large) }))
    )
    const owner = shares.find(({ main }) => remotesOf(main).length === 1)?.shard ?? ''
    const machine = await site.machine()
    await writeTree(await makeDirectory(machine.workspace, 'build'), large)
    site.link.bytesPerSecond = 16 * mebibyte
    await site.runAndCut(machine, 12 * mebibyte, site.inputs({ shard: owner }))
    site.link.bytesPerSecond = Infinity
    const other = owner === '1/2' ? '2/2' : '1/2'
    expect((await runShard(other, large, 2)).outputs).toMatchObject({ 'total-bytes': '0' })
    const main = await runShard(owner, large, 2)
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
  })

  async function dry(shard: string, files: Readonly<Record<string, number | string>>) {
    const machine = await site.machine({ runId: 99, attempt: Number(shard[0]) })
    await writeTree(await makeDirectory(machine.workspace, 'build'), files)
    return (await machine.run(site.inputs({ shard, 'dry-run': 'true' }))).main
  }

  test('one without files is a success', async () => {
    const mains = await Promise.all(['1/2', '2/2'].map(shard => dry(shard, { 'only.txt': 'x' })))
    const [empty] = mains.filter(main => remotesOf(main).length === 0)
    expect(empty?.exitCode).toBe(0)
    expect(empty?.outputs).toMatchObject({ state: 'complete', 'total-bytes': '0', files: '[]' })
    expect(empty?.log).toContain('has 0 of 1 file, 0 B of 1 B.')
    expect(await listFiles(site.sshd.root)).toEqual(expect.not.arrayContaining(['only.txt']))
  })

  test('none is a success when the paths match nothing', async () => {
    const machine = await site.machine()
    const { main } = await machine.run(site.inputs({ shard: '1/2' }))
    expect([main.exitCode, errorsOf(main).join('\n')]).toEqual([1, expect.stringContaining('paths')])
  })
})
