import { expect, jest, test } from '@jest/globals'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  buildTree,
  errorsOf,
  expectSameTree,
  mebibyte,
  numberOf,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const SIZE = 24 * mebibyte
const files = { 'app.bin': SIZE, 'notes.txt': 'notes', 'sub/empty.txt': '' }

/** Everything below a directory with what a write would change, the directory itself included. */
async function snapshot(directory: string): Promise<unknown> {
  const names = await readdir(directory, { recursive: true }).catch(() => undefined)
  if (names === undefined) return 'not there'
  return Promise.all(
    ['', ...names.sort()].map(async name => {
      const { ino, mode, size, mtimeNs, ctimeNs } = await lstat(join(directory, name), { bigint: true })
      return [name, ino, mode, size, mtimeNs, ctimeNs]
    })
  )
}

describeWithSshd('a dry run', () => {
  const site = useSite()
  const dry = () => site.inputs({ 'dry-run': 'true' })

  test('shows what a first run would do, and leaves no trace', async () => {
    const machine = await site.machine()
    const directory = await buildTree(machine, files)
    const { main, post } = await machine.run(dry())
    expect([main.exitCode, post?.exitCode, errorsOf(main), warningsOf(main, post)]).toEqual([0, 0, [], []])
    expect(await snapshot(site.target)).toBe('not there')
    expect(site.cache.entries).toEqual([])
    expect(main.outputs).toMatchObject({
      state: 'incomplete',
      'uploaded-count': '0',
      'failed-count': '0',
      'total-bytes': String(SIZE + 5),
      'sent-bytes': '0'
    })
    const listed = JSON.parse(main.outputs.files ?? '') as { status: string }[]
    expect(listed.map(({ status }) => status)).toEqual(['planned', 'planned', 'planned'])
    for (const name of Object.keys(files)) {
      expect(main.log).toContain(
        `Would start ${join(site.target, name)} from ${join(directory, name)} (sends `
      )
    }
    expect(main.summary).toContain('### SFTP upload: dry run')
    expect(main.summary).toContain('A run uploads 3 files, sends 24 MiB.')
    expect(site.link.sent).toBeLessThan(100_000)
  })

  test('of an interrupted upload tells what would be kept, and the run after it keeps just that', async () => {
    const first = await site.machine()
    await buildTree(first, files)
    site.link.bytesPerSecond = 16 * mebibyte
    await site.runAndCut(first, 12 * mebibyte)
    site.link.bytesPerSecond = undefined
    const before = await snapshot(site.target)
    const entries = site.cache.entries.length

    const second = await site.machine({ attempt: 2 })
    await buildTree(second, files)
    const { main: preview } = await second.run(dry())
    expect(preview.exitCode).toBe(0)
    expect(preview.log).toMatch(/Would continue \S*app\.bin from .* \(sends .* of 24 MiB\): /)
    expect(await snapshot(site.target)).toEqual(before)
    expect(site.cache.entries).toHaveLength(entries)
    const kept = numberOf(preview, 'reused-bytes')
    expect(kept).toBeGreaterThan(4 * mebibyte)

    const { main } = await second.run(site.inputs())
    expect(main.outputs).toMatchObject({ state: 'complete', 'reused-bytes': String(kept) })
    await expectSameTree(site.target, join(second.workspace, 'build'))
  })

  test('of what is in place shows that nothing would be sent', async () => {
    const machine = await site.machine()
    await buildTree(machine, files)
    expect((await machine.run(site.inputs())).main.exitCode).toBe(0)
    const before = await snapshot(site.target)
    const again = await site.machine({ attempt: 2 })
    await buildTree(again, files)
    const { main } = await again.run(dry())
    expect(main.outputs).toMatchObject({
      state: 'complete',
      'skipped-count': '3',
      'reused-bytes': String(SIZE + 5)
    })
    expect(main.log.match(/Would skip /g)).toHaveLength(3)
    expect(await snapshot(site.target)).toEqual(before)
  })

  test('checks the host key, and logs in', async () => {
    const machine = await site.machine()
    await buildTree(machine, files)
    const fingerprint = `SHA256:${'A'.repeat(43)}`
    const wrong = { 'known-hosts': '', 'host-key-fingerprint': fingerprint }
    const { main: unproven } = await machine.run({ ...dry(), ...wrong })
    expect([unproven.exitCode, errorsOf(unproven).join('\n')]).toEqual([
      1,
      expect.stringContaining(fingerprint)
    ])
    const { main: refused } = await machine.run({ ...dry(), username: 'nobody-of-that-name' })
    expect([refused.exitCode, errorsOf(refused).join('\n')]).toEqual([
      1,
      expect.stringContaining('refuses nobody')
    ])
    expect(await snapshot(site.target)).toBe('not there')
  })
})
