import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sha256File, writeArtifact, writeTree } from '../support/artifact.js'
import { startCommand, type Command, type CommandOptions, type CommandResult } from '../support/command.js'
import {
  expectSameTree,
  fewBlocks,
  listFiles,
  makeDirectory,
  mebibyte,
  until,
  useSite
} from '../support/runner-site.js'
import { generateKeyPair } from '../support/sftp-server.mjs'
import { describeWithAgent, startAgent, type TestAgent } from '../support/ssh-agent.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const run = promisify(execFile)
const size = 24 * mebibyte + 12_345
const cutAt = 14 * mebibyte

interface JsonReport {
  readonly state: string
  readonly uploadedCount: number
  readonly resumedCount: number
  readonly skippedCount: number
  readonly failedCount: number
  readonly deletedCount: number
  readonly sentBytes: number
  readonly reusedBytes: number
  readonly error?: { readonly code: string; readonly message: string }
  readonly files: readonly {
    readonly local: string
    readonly remote: string
    readonly status: string
    readonly sha256?: string
    readonly error?: { readonly code: string }
  }[]
}

describeWithSshd('the command line', () => {
  const site = useSite()
  let home: string
  let work: string

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'home-'))
    work = await makeDirectory(home, 'project')
    const ssh = await makeDirectory(home, '.ssh')
    await writeFile(join(ssh, 'id'), site.sshd.privateKey, { mode: 0o600 })
    await writeFile(join(ssh, 'encrypted'), site.sshd.encryptedKey, { mode: 0o600 })
    await writeFile(join(ssh, 'known_hosts'), site.sshd.formatKnownHosts(site.link.port))
  })

  afterEach(async () => {
    await rm(home, { recursive: true, force: true })
  })

  const server = () => [
    '--host',
    site.sshd.host,
    '--port',
    String(site.link.port),
    '--user',
    site.sshd.username
  ]
  const login = () => [...server(), '--key', join(home, '.ssh', 'id')]

  function start(argv: readonly string[], options: Partial<CommandOptions> = {}): Command {
    const environment = { HOME: home, ...options.environment }
    return startCommand(join(site.actionPath, 'dist'), argv, { directory: work, ...options, environment })
  }

  function upload(argv: readonly string[], options?: Partial<CommandOptions>): Promise<CommandResult> {
    return start(argv, options).done
  }

  async function uploadForJson(
    argv: readonly string[],
    options?: Partial<CommandOptions>
  ): Promise<JsonReport & { exitCode: number | null }> {
    const { exitCode, stdout } = await upload([...argv, '--json'], options)
    return { exitCode, ...(JSON.parse(stdout) as JsonReport) }
  }

  const build = () => writeArtifact(join(work, 'app.bin'), size, 'app')
  const target = () => join(site.target, 'app.bin')

  test('takes the flags of the script that it follows', async () => {
    const { sha256 } = await build()
    const flags = ['--verify', 'tail', '--tail-size', '1048576', '--chunk-size', '32768']
    const { exitCode, stdout, stderr } = await upload(['app.bin', target(), ...login(), ...flags])
    expect([exitCode, stdout]).toEqual([0, ''])
    expect(stderr).not.toContain('warning')
    expect(stderr).toContain('The file is in place')
    expect(await sha256File(target())).toBe(sha256)
  })

  test('takes the environment variables of that script', async () => {
    const { sha256 } = await build()
    const environment = {
      SFTP_HOST: site.sshd.host,
      SFTP_PORT: String(site.link.port),
      SFTP_USER: site.sshd.username,
      SFTP_KEY: join(home, '.ssh', 'id'),
      SFTP_PASSWORD: ''
    }
    expect((await upload(['app.bin', target()], { environment })).exitCode).toBe(0)
    expect(await sha256File(target())).toBe(sha256)
  })

  test('uploads what several paths name below the remote directory, and skips it the next time', async () => {
    await writeTree(work, {
      'dist/index.html': 'page',
      'dist/js/app.js': 'code',
      'dist/js/app.js.map': 'map'
    })
    await writeTree(work, { 'odd [1] => *?.txt': 'odd', empty: '' })
    const argv = ['dist', '!dist/**/*.map', 'odd [1] => *?.txt', 'empty', site.target, ...login()]
    expect(await uploadForJson(argv)).toMatchObject({ exitCode: 0, state: 'complete', uploadedCount: 4 })
    expect(await listFiles(site.target)).toEqual(
      ['dist/index.html', 'dist/js/app.js', 'empty', 'odd [1] => *?.txt'].sort()
    )
    expect(await uploadForJson(argv)).toMatchObject({ exitCode: 0, uploadedCount: 0, skippedCount: 4 })
  })

  test('shows in a dry run what it would upload and remove, and removes it when asked to', async () => {
    await writeTree(join(work, 'dist'), { 'index.html': 'new', 'notes.map': 'map' })
    await writeFile(join(work, '.sftpignore'), '*.map\n')
    await writeTree(site.target, { 'old.html': 'old' })
    const flags = ['dist', site.target, ...login(), '--delete']

    const shown = await upload([...flags, '--dry-run'])
    expect(shown.exitCode).toBe(0)
    expect(shown.stderr).toContain('This was a dry run')
    expect(await listFiles(site.target)).toEqual(['old.html'])

    expect(await uploadForJson(flags)).toMatchObject({ exitCode: 0, uploadedCount: 1, deletedCount: 1 })
    expect(await listFiles(site.target)).toEqual(['index.html'])
  })

  test('does not delete beside a file that it gives its name', async () => {
    await build()
    await writeTree(site.target, { 'old.html': 'old' })
    const { exitCode, stderr } = await upload(['app.bin', target(), ...login(), '--delete'])
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('--delete: must go with a REMOTE')])
    expect(await listFiles(site.target)).toEqual(['old.html'])
  })

  test('uploads its share of the files', async () => {
    await writeTree(join(work, 'dist'), { a: 'a', b: 'b', c: 'c' })
    for (const shard of ['1/2', '2/2']) {
      expect(await uploadForJson(['dist', site.target, ...login(), '--shard', shard])).toMatchObject({
        exitCode: 0
      })
    }
    await expectSameTree(site.target, join(work, 'dist'))
  })

  test('uploads a directory from above the working directory', async () => {
    await writeTree(work, { 'build/a.txt': 'a', 'here/none': 'none' })
    const result = await upload(['../build', site.target, ...login()], { directory: join(work, 'here') })
    expect(result.exitCode).toBe(0)
    await expectSameTree(site.target, join(work, 'build'))
  })

  describe('after an interruption', () => {
    beforeEach(async () => {
      await build()
      site.link.bytesPerSecond = 40 * mebibyte
    })

    async function expectToGoOn(argv: readonly string[], directory = work) {
      site.link.refuse = false
      site.link.bytesPerSecond = undefined
      const before = site.link.sent
      const report = await uploadForJson(argv, { directory })
      expect(report).toMatchObject({ exitCode: 0, state: 'complete', resumedCount: 1, uploadedCount: 1 })
      expect(report.sentBytes + report.reusedBytes).toBe(size)
      expect(site.link.sent - before).toBeLessThan(size - cutAt + fewBlocks)
      expect(await sha256File(target())).toBe(await sha256File(join(work, 'app.bin')))
      expect(await listFiles(site.target)).toEqual(['app.bin'])
    }

    test('by the line continues from the state file, in another checkout, too', async () => {
      void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
      const { exitCode, stderr } = await upload(['app.bin', target(), ...login(), '--retries', '0'])
      expect(exitCode).toBe(3)
      expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/A re-run continues with/)
      const state = await listFiles(join(home, '.cache', 'resumable-sftp-upload'))
      expect(state).toEqual([expect.stringMatching(/^[0-9a-f]{32}\/\.upload\.meta$/)])
      const checkout = await makeDirectory(home, 'checkout')
      await writeArtifact(join(checkout, 'app.bin'), size, 'app')
      await expectToGoOn(['app.bin', target(), ...login()], checkout)
    })

    test.each<[NodeJS.Signals, number]>([
      ['SIGINT', 130],
      ['SIGTERM', 143]
    ])('by %s saves the state, ends with %i and continues', async (signal, code) => {
      site.link.bytesPerSecond = 12 * mebibyte
      const command = start(['app.bin', target(), ...login(), '--json'])
      await site.link.waitFor(cutAt)
      // What is in flight may still arrive; it must not be all of the rest.
      site.link.bytesPerSecond = mebibyte
      command.kill(signal)
      const { exitCode, stdout } = await command.done
      expect(exitCode).toBe(code)
      expect(JSON.parse(stdout)).toMatchObject({ state: 'incomplete', error: { code: 'cancelled' } })
      await expectToGoOn(['app.bin', target(), ...login()])
    })

    test('by a kill continues from the last checkpoint', async () => {
      site.link.bytesPerSecond = 8 * mebibyte
      const cache = await makeDirectory(home, 'state')
      const argv = ['app.bin', target(), ...login(), '--state-dir', cache]
      const command = start([...argv, '--checkpoint-interval', '1'])
      const saved = async () => (await listFiles(cache)).some(name => name.endsWith('.upload.meta'))
      await until(saved, 20_000, 'a checkpoint')
      command.kill('SIGKILL')
      await command.done
      site.link.bytesPerSecond = undefined
      expect(await uploadForJson(argv)).toMatchObject({ exitCode: 0, resumedCount: 1 })
      expect(await sha256File(target())).toBe(await sha256File(join(work, 'app.bin')))
      expect((await listFiles(cache)).filter(name => name.includes('.running-'))).toEqual([])
    })

    test('without a state file starts from zero', async () => {
      void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
      const argv = ['app.bin', target(), ...login(), '--retries', '0', '--state', 'none']
      expect((await upload(argv)).exitCode).toBe(3)
      site.link.refuse = false
      expect(await uploadForJson(argv)).toMatchObject({ exitCode: 0, resumedCount: 0, sentBytes: size })
    })
  })

  test('of two at once for one target leaves the state to the first', async () => {
    await build()
    site.link.bytesPerSecond = 8 * mebibyte
    const first = start(['app.bin', target(), ...login()])
    await site.link.waitFor(2 * mebibyte)
    const second = start(['app.bin', target(), ...login()])
    const results = await Promise.all([first.done, second.done])
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(results[0].stderr).not.toContain('is uploading the same')
    expect(results[1].stderr).toContain('is uploading the same')
    expect(await sha256File(target())).toBe(await sha256File(join(work, 'app.bin')))
    expect(await listFiles(site.target)).toEqual(['app.bin'])
  })

  describe('with a login', () => {
    beforeEach(() => writeTree(work, { 'notes.txt': 'notes' }))
    const notes = () => readFile(join(site.target, 'notes.txt'), 'utf8')
    const argv = (...more: string[]) => ['notes.txt', `${site.target}/`, ...more]

    test('by the passphrase in SFTP_PASSPHRASE', async () => {
      const environment = { SFTP_PASSPHRASE: site.sshd.passphrase }
      const key = join(home, '.ssh', 'encrypted')
      const { exitCode, stderr } = await upload(argv(...server(), '--key', key), { environment })
      expect([exitCode, await notes()]).toEqual([0, 'notes'])
      expect(stderr).not.toContain(site.sshd.passphrase)
    })

    test('by an encrypted key without its passphrase is refused before any connection', async () => {
      const { exitCode, stderr } = await upload(argv(...server(), '--key', join(home, '.ssh', 'encrypted')))
      expect([exitCode, site.link.connections]).toEqual([2, 0])
      expect(stderr).toMatch(/passphrase/)
    })

    test('by no key, password and agent is refused before any connection', async () => {
      const { exitCode, stderr } = await upload(argv(...server()))
      expect([exitCode, site.link.connections]).toEqual([2, 0])
      expect(stderr).toContain('SSH_AUTH_SOCK')
    })

    test('by a password that is refused ends with 4, and a visible one is warned of', async () => {
      const { exitCode, stderr } = await upload(argv(...server(), '--password', 'a guess'))
      expect(exitCode).toBe(4)
      expect(stderr).toContain('warning: --password')
      expect(stderr).not.toContain('a guess')
    })

    describeWithAgent('by the ssh agent', () => {
      let agent: TestAgent

      beforeEach(async () => {
        agent = site.closeLater(await startAgent())
      })

      const environment = () => ({ SSH_AUTH_SOCK: agent.socket })

      test('uploads, and continues what was interrupted', async () => {
        await agent.add(join(home, '.ssh', 'id'))
        await build()
        site.link.bytesPerSecond = 40 * mebibyte
        void site.link.cutAfter(cutAt).then(() => (site.link.refuse = true))
        const flags = ['app.bin', target(), ...server(), '--retries', '0', '--json']
        expect((await upload(flags, { environment: environment() })).exitCode).toBe(3)
        site.link.refuse = false
        const { exitCode, stdout } = await upload(flags, { environment: environment() })
        expect([exitCode, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ resumedCount: 1 })])
        expect(await sha256File(target())).toBe(await sha256File(join(work, 'app.bin')))
      })

      test('is not asked with --no-agent', async () => {
        await agent.add(join(home, '.ssh', 'id'))
        const { exitCode } = await upload(argv(...server(), '--no-agent'), { environment: environment() })
        expect([exitCode, site.link.connections]).toEqual([2, 0])
      })

      test('is not asked before the host is proven', async () => {
        await agent.add(join(home, '.ssh', 'id'))
        await rm(join(home, '.ssh', 'known_hosts'))
        const logged = site.sshd.log().length
        const { exitCode, stderr } = await upload(argv(...server()), { environment: environment() })
        expect(exitCode).toBe(4)
        expect(stderr).toContain('known-hosts')
        expect(site.sshd.log().slice(logged)).not.toMatch(/Accepted|Failed|publickey/)
      })

      test.each<[string, () => Promise<unknown>, RegExp, { exitCode: number; connections: number }]>([
        ['no key', () => Promise.resolve(), /found no usable key/, { exitCode: 2, connections: 0 }],
        [
          'more keys than the server wants to see',
          () => addStrangers(8),
          /too many tries/,
          { exitCode: 4, connections: 1 }
        ],
        ['nobody there', () => rm(agent.socket), /nothing that answers/, { exitCode: 2, connections: 0 }]
      ])('with %s is refused at once', async (_name, prepare, expected, { exitCode: code, connections }) => {
        await prepare()
        const { exitCode, stderr } = await upload(argv(...server()), { environment: environment() })
        expect([exitCode, site.link.connections]).toEqual([code, connections])
        expect(stderr).toMatch(expected)
      })

      async function addStrangers(count: number) {
        const keys = Array.from({ length: count }, (_, index) => join(home, `stranger-${index}`))
        for (const key of keys) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
        await agent.add(...keys)
      }
    })
  })

  describe('with a host key', () => {
    beforeEach(() => writeTree(work, { 'notes.txt': 'notes' }))

    test.each<[string, () => Promise<string[]>]>([
      ['that is another one', async () => ['--known-hosts', await otherKnownHosts()]],
      ['that nothing is known of', async () => ['--known-hosts', await emptyFile()]]
    ])('%s: no login, and 4', async (_name, flags) => {
      const logged = site.sshd.log().length
      const { exitCode, stderr } = await upload([
        'notes.txt',
        `${site.target}/`,
        ...login(),
        ...(await flags())
      ])
      expect(exitCode).toBe(4)
      expect(stderr).toContain(site.sshd.hostKeyFingerprint)
      expect(site.sshd.log().slice(logged)).not.toMatch(/Accepted|publickey/)
    })

    test('that its fingerprint names', async () => {
      const flags = [
        '--known-hosts',
        await emptyFile(),
        '--host-key-fingerprint',
        site.sshd.hostKeyFingerprint
      ]
      expect((await upload(['notes.txt', `${site.target}/`, ...login(), ...flags])).exitCode).toBe(0)
    })

    test('in a known_hosts with a damaged line', async () => {
      const file = join(home, '.ssh', 'known_hosts')
      await writeFile(file, `rubbish\n${await readFile(file, 'utf8')}`)
      const { exitCode, stderr } = await upload(['notes.txt', `${site.target}/`, ...login()])
      expect(exitCode).toBe(0)
      expect(stderr).toContain('known_hosts line 1 is damaged')
      const named = await upload(['notes.txt', `${site.target}/`, ...login(), '--known-hosts', file])
      expect([named.exitCode, named.stderr]).toEqual([2, expect.stringContaining('known-hosts line 1')])
    })

    async function emptyFile() {
      const file = join(home, 'empty')
      await writeFile(file, '')
      return file
    }

    async function otherKnownHosts() {
      const file = join(home, 'other')
      await writeFile(file, `[${site.sshd.host}]:${site.link.port} ${generateKeyPair().public}\n`)
      return file
    }
  })

  describe('ends with', () => {
    beforeEach(() => writeTree(work, { 'notes.txt': 'notes', 'more.txt': 'more' }))

    test('0 for help and version, on the standard output', async () => {
      const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string }
      expect(await upload(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
      const help = await upload(['--help'])
      expect([help.exitCode, help.stderr]).toEqual([0, ''])
      expect(help.stdout).toContain('--known-hosts')
    })

    test.each<[string, string[]]>([
      ['an unknown flag', ['a', 'b', '--colour']],
      ['no remote path', ['notes.txt']],
      ['a bad number', ['notes.txt', 'b', '--retries', 'many']]
    ])('2 for %s', async (_name, argv) => {
      const { exitCode, stdout, stderr } = await upload([...login(), ...argv])
      expect([exitCode, stdout, site.link.connections]).toEqual([2, '', 0])
      expect(stderr).toMatch(/^error: /)
    })

    test('1 for a file that is not there', async () => {
      expect(await uploadForJson(['nowhere', 'b', ...login()])).toMatchObject({
        exitCode: 1,
        state: 'incomplete',
        error: { code: 'no-files' },
        files: []
      })
    })

    test('1 for a file that the server does not take, and tells of each', async () => {
      await makeDirectory(site.target, 'more.txt')
      const report = await uploadForJson([
        'notes.txt',
        'more.txt',
        site.target,
        ...login(),
        '--verify',
        'full'
      ])
      expect(report).toMatchObject({ exitCode: 1, state: 'incomplete', uploadedCount: 1, failedCount: 1 })
      const [failed, uploaded] = [...report.files].sort((a, b) => a.status.localeCompare(b.status))
      expect(failed).toMatchObject({ remote: join(site.target, 'more.txt'), error: { code: 'wrong-type' } })
      expect(uploaded).toMatchObject({
        local: join(work, 'notes.txt'),
        status: 'uploaded',
        sha256: await sha256File(join(work, 'notes.txt'))
      })
    })

    test('3 where nobody answers', async () => {
      const port = site.link.port
      await site.link.close()
      const argv = ['notes.txt', 'b', ...login(), '--port', String(port), '--retries', '0']
      expect((await upload(argv)).exitCode).toBe(3)
    })
  })

  // Elsewhere script(1) is another program.
  const describeOnLinux = process.platform === 'linux' ? describe : describe.skip

  describeOnLinux('on a terminal', () => {
    test('draws a bar, and the lines stand above it', async () => {
      await build()
      site.link.bytesPerSecond = 12 * mebibyte
      const { exitCode, stdout } = await upload(['app.bin', target(), ...login()], { onTerminal: true })
      expect(exitCode).toBe(0)
      expect(stdout).toMatch(/█+░+ \d+%, [\d.]+ MiB of 24 MiB, [\d.]+ MiB\/s, [\d.]+ s left/)
      // A line takes the place of the bar, which is drawn again below it.
      expect(stdout.replaceAll('\x1b[2K', '\n')).toMatch(/^Starting .*app\.bin from 0.*\r\n/m)
      // The cursor comes back, and the last line is the result.
      expect(stdout.lastIndexOf('\x1b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\x1b[?25l'))
      expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^The file is in place/)
    })

    test('asks for the passphrase and does not show it', async () => {
      await writeTree(work, { 'notes.txt': 'notes' })
      const key = join(home, '.ssh', 'encrypted')
      const command = start(['notes.txt', `${site.target}/`, ...server(), '--key', key], { onTerminal: true })
      await until(() => command.written().includes('Passphrase of'), 10_000, 'the question')
      command.type(`${site.sshd.passphrase}\n`)
      const { exitCode, stdout } = await command.done
      expect([exitCode, await readFile(join(site.target, 'notes.txt'), 'utf8')]).toEqual([0, 'notes'])
      expect(stdout).not.toContain(site.sshd.passphrase)
    })

    test('is interrupted by Ctrl-C at the question', async () => {
      await writeTree(work, { 'notes.txt': 'notes' })
      const command = start(['notes.txt', `${site.target}/`, ...server()], { onTerminal: true })
      await until(() => command.written().includes('Password of'), 10_000, 'the question')
      command.type('\x03')
      expect((await command.done).exitCode).toBe(130)
      expect(site.link.connections).toBe(0)
    })
  })
})
