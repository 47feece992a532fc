import { beforeEach, expect, jest, test } from '@jest/globals'
import { open, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { writeArtifact } from '../support/artifact.js'
import { acknowledgedBlocks } from '../support/cache-service-archive.js'
import {
  buildArtifact,
  expectSameTree,
  makeDirectory,
  mebibyte,
  numberOf,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte
const builtAt = new Date('2026-01-02T03:04:05Z')

describeWithSshd('an artifact that is rebuilt after an interruption', () => {
  const site = useSite()

  beforeEach(() => {
    site.link.bytesPerSecond = 40 * mebibyte
  })

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
    await utimes(join(await buildArtifact(first, size), 'app.bin'), builtAt, builtAt)
    await site.runAndCut(first, cutAt, site.inputs({ verify }))
    const acknowledged = await acknowledgedBlocks(site.cache)
    expect(acknowledged).toContain(1)

    const second = await site.machine({ attempt: 2 })
    const directory = await buildArtifact(second, size)
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
    await buildArtifact(first, size)
    await site.runAndCut(first, cutAt, site.inputs({ verify: 'tail' }))
    const second = await site.machine({ attempt: 2 })
    const directory = await buildArtifact(second, size)
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
    await buildArtifact(first, size)
    await site.runAndCut(first, cutAt)
    const second = await site.machine({ attempt: 2 })
    const directory = await makeDirectory(second.workspace, 'build')
    await writeArtifact(join(directory, 'app.bin'), size + 1, 'app')
    const { main } = await second.run(site.inputs())
    expect(main.outputs).toMatchObject({ state: 'complete', 'reused-bytes': '0' })
    expect(main.log).toMatch(/Starting .*app\.bin from 0: .*size was .*25,178,169.*is .*25,178,170/)
    await expectSameTree(site.target, directory)
  })
})
