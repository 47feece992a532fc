import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256File } from '../support/artifact.js'
import type { Environment } from '../support/runner.mjs'
import {
  buildArtifact,
  errorsOf,
  makeDirectory,
  mebibyte,
  numberOf,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithMounts, mountDisk } from '../support/small-disk.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const size = 12 * mebibyte + 12_345
const cutAt = 8 * mebibyte

describeWithSshd('trouble with the runner', () => {
  const site = useSite()

  beforeEach(() => {
    site.link.bytesPerSecond = 40 * mebibyte
  })

  /** An attempt of the job that is cut in the middle, and its post step. */
  async function beCut(env?: Environment): Promise<void> {
    const machine = await site.machine()
    await buildArtifact(machine, size)
    void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
    const { main } = await machine.run(site.inputs(), env)
    site.link.refuse = false
    expect(main.exitCode).toBe(1)
  }

  async function expectInPlace(directory: string): Promise<void> {
    const [uploaded, local] = await Promise.all(
      [site.target, directory].map(path => sha256File(join(path, 'app.bin')))
    )
    expect(uploaded).toBe(local)
  }

  /** The next attempt, elsewhere, which must succeed; tells how many bytes it kept. */
  async function runAgain(env?: Environment): Promise<{ kept: number; warnings: string[] }> {
    const machine = await site.machine({ attempt: 2 })
    const directory = await buildArtifact(machine, size)
    const { main, post } = await machine.run(site.inputs(), env)
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    await expectInPlace(directory)
    return { kept: numberOf(main, 'reused-bytes'), warnings: warningsOf(main, post) }
  }

  test('a cache that was evicted before the re-run: all of it is sent again, and nothing is wrong', async () => {
    await beCut()
    expect(site.cache.entries.length).toBeGreaterThan(0)
    site.cache.entries.splice(0)
    expect(await runAgain()).toEqual({ kept: 0, warnings: [] })
  })

  test('a state directory that cannot be made: one warning, and the files are in place', async () => {
    const machine = await site.machine()
    const directory = await buildArtifact(machine, size)
    await writeFile(join(machine.temp, 'resumable-sftp-upload'), 'in the way')
    const { main, post } = await machine.run(site.inputs())
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    expect(warningsOf(main, post)).toHaveLength(1)
    await expectInPlace(directory)
  })

  test('a job summary that cannot be written: one warning, and the files are in place', async () => {
    const machine = await site.machine()
    const directory = await buildArtifact(machine, size)
    const { main } = await machine.run(site.inputs(), {
      GITHUB_STEP_SUMMARY: join(machine.temp, 'none', 'md')
    })
    expect(main.exitCode).toBe(0)
    expect(warningsOf(main)).toEqual([expect.stringContaining('The job summary cannot be written')])
    await expectInPlace(directory)
  })

  test('variables for post that cannot be written, and a state that cannot: one warning, and the files are in place', async () => {
    const machine = await site.machine({ withCache: false })
    const directory = await buildArtifact(machine, size)
    await writeFile(join(machine.temp, 'resumable-sftp-upload'), 'in the way')
    const { main } = await machine.run(site.inputs({ 'checkpoint-interval': '1' }), {
      GITHUB_STATE: join(machine.temp, 'none', 'state')
    })
    expect([main.exitCode, errorsOf(main)]).toEqual([0, []])
    expect(warningsOf(main)).toHaveLength(1)
    await expectInPlace(directory)
  })

  test('the variable of a cache process in the job: the files are in place', async () => {
    const machine = await site.machine()
    const directory = await buildArtifact(machine, size)
    const { main } = await machine.run(site.inputs(), { RESUMABLE_SFTP_UPLOAD_CACHE: 'x' })
    expect([main.exitCode, main.outputs.state]).toEqual([0, 'complete'])
    expect(warningsOf(main)).toEqual([])
    await expectInPlace(directory)
  })

  test('a symbolic link on the way to RUNNER_TEMP: a re-run elsewhere goes on', async () => {
    const machine = await site.machine()
    await buildArtifact(machine, size)
    const link = join(machine.temp, 'link')
    await symlink(await makeDirectory(machine.temp, 'one', 'deeper'), link)
    void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
    const { main, post } = await machine.run(site.inputs(), { RUNNER_TEMP: link })
    site.link.refuse = false
    expect([main.exitCode, ...warningsOf(main, post)]).toEqual([1])
    expect(site.cache.entries.length).toBeGreaterThan(0)

    const { kept, warnings } = await runAgain()
    expect(kept).toBeGreaterThan(mebibyte)
    expect(warnings).toEqual([])
  })

  describe('post', () => {
    test('after inputs that are wrong has nothing to do', async () => {
      const machine = await site.machine()
      const { main, post } = await machine.run(site.inputs({ port: 'x' }))
      expect([main.exitCode, post?.exitCode, ...warningsOf(post)]).toEqual([1, 0])
      expect(site.link.connections).toBe(0)
    })

    test('after the state directory was emptied has nothing to do', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
      await machine.runMain(site.inputs())
      await rm(join(machine.temp, 'resumable-sftp-upload'), { recursive: true })
      const post = await machine.runPost()
      expect([post.exitCode, ...warningsOf(post)]).toEqual([0])
    })
  })

  describe('programs that are missing', () => {
    /** A PATH with the programs that a runner has, but for these. */
    async function without(...missing: string[]): Promise<Environment> {
      const directory = await mkdtemp(join(tmpdir(), 'bin-'))
      site.closeLater({ close: () => rm(directory, { recursive: true }) })
      for (const name of ['tar', 'gzip', 'zstd', 'sh'].filter(each => !missing.includes(each))) {
        const path = execFileSync('sh', ['-c', `command -v ${name} || true`], { encoding: 'utf8' }).trim()
        if (path !== '') await symlink(path, join(directory, name))
      }
      return { PATH: directory }
    }

    test('tar: the state goes to the server, and a re-run finds it', async () => {
      const env = await without('tar')
      const machine = await site.machine()
      await buildArtifact(machine, size)
      expect((await machine.run(site.inputs(), env)).main.exitCode).toBe(0)
      expect(site.cache.entries).toEqual([])
      const again = await site.machine({ attempt: 2 })
      await buildArtifact(again, size)
      const { main } = await again.run(site.inputs(), env)
      expect(main.outputs).toMatchObject({ state: 'complete', 'skipped-count': '1', 'sent-bytes': '0' })
    })

    test('zstd: the upload goes on all the same', async () => {
      const env = await without('zstd')
      await beCut(env)
      const { kept, warnings } = await runAgain(env)
      expect(kept).toBeGreaterThan(mebibyte)
      expect(warnings).toEqual([])
    })

    test('zstd on the second machine alone: the state is not found, and all of it is sent', async () => {
      await beCut()
      expect(site.cache.entries.length).toBeGreaterThan(0)
      expect(await runAgain(await without('zstd'))).toEqual({ kept: 0, warnings: [] })
    })
  })

  test('a GitHub Enterprise Server, whose cache speaks another dialect: a re-run goes on', async () => {
    const env = {
      GITHUB_SERVER_URL: 'https://github.example.com',
      ACTIONS_CACHE_SERVICE_V2: undefined,
      ACTIONS_RESULTS_URL: undefined,
      ACTIONS_CACHE_URL: site.cache.url
    }
    await beCut(env)
    expect(site.cache.requests.map(({ method }) => method)).toContain('v1 commit')
    const { kept, warnings } = await runAgain(env)
    expect(kept).toBeGreaterThan(mebibyte)
    expect(warnings).toEqual([])
  })

  describeWithMounts('a full disk', () => {
    function fill(directory: string): void {
      try {
        execFileSync('dd', ['if=/dev/zero', `of=${join(directory, 'filling')}`, 'bs=4096'], {
          stdio: 'ignore'
        })
      } catch {
        // That is what ends it.
      }
    }

    test('under the state: one warning, and the files are in place', async () => {
      const machine = await site.machine()
      const directory = await buildArtifact(machine, size)
      const state = join(machine.temp, 'resumable-sftp-upload')
      await mkdir(state)
      const disk = site.closeLater(mountDisk(state, 1))
      fill(disk.path)
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
      expect(warningsOf(main, post)).toEqual([
        expect.stringMatching(/state cannot be (?:written|used)|ENOSPC/)
      ])
      await expectInPlace(directory)
    })

    test('under the files of the runner itself: the step fails and names the reason', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      const commands = join(machine.temp, '_runner_file_commands')
      const disk = site.closeLater(mountDisk(commands, 1))
      fill(disk.path)
      const main = await machine.runMain(site.inputs())
      expect(main.exitCode).toBe(1)
      expect(errorsOf(main).join('\n')).toMatch(/ENOSPC|no space left/)
      // Without a word from main it must not take itself for main, which would upload once more.
      const post = await machine.runPost()
      expect(post).toMatchObject({ exitCode: 0, log: '' })
    })
  })
})
