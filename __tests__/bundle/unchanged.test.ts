import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  buildTree,
  expectSameTree,
  mebibyte,
  numberOf,
  stateFiles,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const tree = { 'app.bin': 3 * mebibyte + 5, 'docs/index.html': 20_000, 'empty.txt': 0, 'notes.md': 'notes' }
const bytes = 3 * mebibyte + 5 + 20_000 + 5
const count = Object.keys(tree).length

describeWithSshd('unchanged files', () => {
  const site = useSite()
  let runs = 0

  beforeEach(() => {
    runs = 0
  })

  interface Run {
    readonly state: string
    readonly attempt?: number
    readonly ref?: string
    /** What the build makes this time, besides or instead. */
    readonly changes?: Readonly<Record<string, number | string>>
    readonly verify?: string
    readonly withCache?: boolean
  }

  /** A new run on a new machine, or an attempt of the run before. */
  async function run({
    state,
    attempt = 1,
    ref = 'main',
    changes = {},
    verify = 'size',
    withCache = true
  }: Run) {
    if (attempt === 1) runs += 1
    const machine = await site.machine({ runId: runs, attempt, withCache })
    const directory = await buildTree(machine, { ...tree, ...changes })
    const before = site.link.sent
    const env = { GITHUB_REF: `refs/heads/${ref}`, GITHUB_REF_NAME: ref }
    const { main, post } = await machine.run(site.inputs({ state, verify }), env)
    expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
    const states = await Promise.all(
      (await stateFiles(site.target)).map(async path => ({ path, text: await readFile(path) }))
    )
    for (const { path } of states) await rm(path)
    await expectSameTree(site.target, directory)
    for (const { path, text } of states) await writeFile(path, text)
    return { main, sent: site.link.sent - before }
  }

  describe.each(['cache', 'server'])('with state: %s', state => {
    test.each<[string, Partial<Run>]>([
      ['a re-run', { attempt: 2 }],
      ['a later run', {}],
      ['a later run that looks at tails', { verify: 'tail' }],
      ['a later run that looks at everything', { verify: 'full' }]
    ])('are skipped by %s, which says how many', async (_which, options) => {
      await run({ state })
      const { main, sent } = await run({ state, ...options })
      expect(main.outputs).toMatchObject({
        state: 'complete',
        'uploaded-count': '0',
        'skipped-count': String(count),
        'sent-bytes': '0',
        'reused-bytes': String(bytes)
      })
      expect(main.log).toContain(`All ${count} files are in place: 0 uploaded, ${count} unchanged.`)
      expect(sent).toBeLessThan(100_000)
    })

    test('are skipped by every run after, while others change', async () => {
      await run({ state })
      for (const [changes, sentBytes] of [
        [{ 'notes.md': 'other' }, 5],
        [{ 'notes.md': 'other', 'new.txt': 'new' }, 3],
        [{ 'notes.md': 'and again', 'new.txt': 'new' }, 9]
      ] as const) {
        const { main } = await run({ state, changes })
        expect([numberOf(main, 'uploaded-count'), numberOf(main, 'sent-bytes')]).toEqual([1, sentBytes])
        expect(numberOf(main, 'skipped-count')).toBe(Object.keys({ ...tree, ...changes }).length - 1)
      }
    })

    test('of the same size and other bytes are sent', async () => {
      await run({ state })
      const { main } = await run({ state, changes: { 'notes.md': 'NOTES' } })
      expect(main.outputs).toMatchObject({ 'uploaded-count': '1', 'sent-bytes': '5' })
    })

    test('are sent when the server has something else in their place', async () => {
      await run({ state })
      await writeFile(join(site.target, 'notes.md'), 'other')
      await utimes(join(site.target, 'notes.md'), 1, 1)
      await rm(join(site.target, 'empty.txt'))
      const { main } = await run({ state })
      expect(main.outputs).toMatchObject({ 'uploaded-count': '2', 'skipped-count': String(count - 2) })
    })
  })

  test('are skipped by a run of another branch with the state on the server', async () => {
    await run({ state: 'server', withCache: false })
    const { main } = await run({ state: 'server', ref: 'other', withCache: false })
    expect(main.outputs['skipped-count']).toBe(String(count))
  })

  test('are skipped by later runs where there is no cache', async () => {
    await run({ state: 'cache', withCache: false })
    const { main } = await run({ state: 'cache', withCache: false })
    expect(main.outputs['skipped-count']).toBe(String(count))
  })
})
