import { beforeEach, expect, jest, test } from '@jest/globals'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { PhaseResult, Runner } from '../support/runner.mjs'
import { artifactBytes } from '../support/artifact.js'
import {
  errorsOf,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  useSite
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(600_000)

const gibibyte = 1024 * mebibyte
const size = 5 * gibibyte + 12_345
const cutAt = 4.5 * gibibyte
const memoryLimit = 200 * mebibyte

describeWithSshd('a file of 5 GiB', () => {
  const site = useSite()

  beforeEach(async () => {
    await makeDirectory(site.target)
  })

  /** Mostly a hole, with a few MiB that never repeat at the start, around 4 GiB and at the end. */
  async function build(machine: Runner): Promise<string> {
    const path = join(await makeDirectory(machine.workspace, 'build'), 'disk.img')
    const file = await open(path, 'w')
    try {
      await file.truncate(size)
      for (const offset of [0, 4 * gibibyte - 2 * mebibyte - 1, size - 3 * mebibyte]) {
        await file.write(artifactBytes(3 * mebibyte, offset), 0, 3 * mebibyte, offset)
      }
    } finally {
      await file.close()
    }
    return path
  }

  async function expectSameBytes(uploaded: string, local: string) {
    expect((await stat(uploaded)).size).toBe(size)
    const files = await Promise.all([open(uploaded), open(local)])
    const buffers = files.map(() => Buffer.allocUnsafe(8 * mebibyte))
    try {
      for (let offset = 0; offset < size;) {
        const [found = Buffer.alloc(0), expected = Buffer.alloc(0)] = await Promise.all(
          files.map(async (file, index) => {
            const buffer = buffers[index] ?? Buffer.alloc(0)
            const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
            return buffer.subarray(0, bytesRead)
          })
        )
        if (found.length === 0 || !found.equals(expected))
          throw new Error(`bytes differ after offset ${offset}`)
        offset += found.length
      }
    } finally {
      for (const file of files) await file.close()
    }
  }

  function expectLittleMemory({ peakRssBytes }: PhaseResult) {
    if (peakRssBytes !== undefined) expect(peakRssBytes).toBeLessThan(memoryLimit)
  }

  test('is cut past 4 GiB, goes on in a re-run, and takes little memory in both', async () => {
    const first = await site.machine()
    await build(first)
    const { main: cut } = await site.runAndCut(first, cutAt)
    expect(cut.outputs['total-bytes']).toBe(String(size))
    expectLittleMemory(cut)
    await first.cleanup()

    const second = await site.machine({ attempt: 2 })
    const path = await build(second)
    const { main } = await second.run(site.inputs())
    expect(errorsOf(main)).toEqual([])
    expect(main.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
    expect(numberOf(main, 'sent-bytes')).toBeLessThan(size - cutAt + 4 * fewBlocks)
    expectLittleMemory(main)
    expect(await listFiles(site.target)).toEqual(['disk.img'])
    await expectSameBytes(join(site.target, 'disk.img'), path)
    await rm(site.target, { recursive: true })
  })
})
