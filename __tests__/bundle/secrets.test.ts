import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readPrivateKey } from '../../src/adapters/sftp/private-key.js'
import { readEntry } from '../support/cache-service-archive.js'
import { watchArguments } from '../support/process-arguments.js'
import type { Inputs, PhaseResult, Runner } from '../support/runner.mjs'
import {
  buildArtifact,
  fewBlocks,
  makeDirectory,
  mebibyte,
  readAll,
  useSite
} from '../support/runner-site.js'
import { generateKeyPair, startSftpServer, type SftpServer } from '../support/sftp-server.mjs'
import { describeWithSshd } from '../support/sshd.js'
import { formatStatus } from '../support/sftp-wire.mjs'

jest.setTimeout(90_000)

const run = promisify(execFile)
const passphrase = 'correct horse battery staple 7319'
const password = 'pa$$word "with" %0A & <b>, 48151623'
const size = 16 * mebibyte
const debug = { RUNNER_DEBUG: '1', ACTIONS_STEP_DEBUG: 'true', DEBUG: '*' }

describeWithSshd('no secret is told, kept or put on a command line', () => {
  const site = useSite()
  let directory: string
  let key: string
  let passwordServer: SftpServer
  /** Everything that would give a secret away: whole, line by line, decrypted, and in other clothes. */
  let needles: ReadonlyMap<string, string>
  let watch: ReturnType<typeof watchArguments>
  let phases: PhaseResult[]
  let machines: Runner[]

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'secrets-'))
    const file = join(directory, 'key')
    await writeFile(file, site.sshd.encryptedKey, { mode: 0o600 })
    await run('ssh-keygen', ['-q', '-p', '-P', site.sshd.passphrase, '-N', passphrase, '-f', file])
    key = await readFile(file, 'utf8')
    const users = [{ username: 'deploy', password }]
    passwordServer = await startSftpServer({ root: await makeDirectory(directory, 'root'), users })
  })
  afterAll(async () => {
    await passwordServer.close()
    await rm(directory, { recursive: true, force: true })
  })

  beforeEach(() => {
    const decrypted = readPrivateKey(key, passphrase).key
    const lines = [key, decrypted, site.sshd.privateKey].flatMap(text =>
      text.split('\n').filter(line => line.length >= 8 && !line.startsWith('-----'))
    )
    needles = new Map([
      ...lines.map((line, index) => [`line ${index} of a key`, line] as const),
      ...['passphrase', 'password'].flatMap((name, index) => {
        const text = index === 0 ? passphrase : password
        return [
          [name, text],
          [`${name} in base64`, Buffer.from(text).toString('base64').replace(/=+$/, '')],
          [`${name} in hexadecimal`, Buffer.from(text).toString('hex')],
          [`${name} in JSON`, JSON.stringify(text).slice(1, -1)],
          [`${name} in a URL`, encodeURIComponent(text)]
        ] as const
      })
    ])
    phases = []
    machines = []
    watch = watchArguments()
  })
  afterEach(() => watch.stop())

  async function machine(options?: Parameters<typeof site.machine>[0]): Promise<Runner> {
    const made = await site.machine(options)
    machines.push(made)
    await buildArtifact(made, size)
    return made
  }

  async function runAll(on: Runner, inputs: Inputs): Promise<PhaseResult> {
    const { main, post } = await on.run(inputs, debug)
    phases.push(main, ...(post === undefined ? [] : [post]))
    return main
  }

  function inputs(more: Inputs = {}): Inputs {
    return site.inputs({ key, passphrase, password, 'checkpoint-interval': '1', ...more })
  }

  function passwordInputs(more: Inputs = {}): Inputs {
    const { host, port, knownHosts } = passwordServer
    const server = {
      host,
      port: String(port),
      username: 'deploy',
      'known-hosts': knownHosts,
      'remote-path': 'site'
    }
    return site.inputs({ ...server, key: '', password, ...more })
  }

  /** Looks everywhere but where the runner itself is told what to mask. */
  async function expectNothingTold(): Promise<void> {
    const places = new Map<string, string>([['arguments', [...(await watch.stop())].join('\n')]])
    for (const [index, { rawLog, log, outputs, state, summary }] of phases.entries()) {
      places.set(`raw log ${index}`, rawLog.replace(/^::add-mask::.*$/gm, ''))
      places.set(`log ${index}`, log)
      places.set(`outputs ${index}`, JSON.stringify([outputs, state]))
      places.set(`summary ${index}`, summary)
    }
    for (const [index, { temp, workspace }] of machines.entries()) {
      places.set(`temp ${index}`, await readAll(temp))
      places.set(`workspace ${index}`, await readAll(workspace))
    }
    for (const entry of site.cache.entries)
      places.set(`entry ${entry.key}`, `${entry.key}\n${await readEntry(entry)}`)
    const found = [...places].flatMap(([place, text]) =>
      [...needles].filter(([, needle]) => text.includes(needle)).map(([what]) => `${what} in ${place}`)
    )
    expect(found).toEqual([])
    // The search itself: what has to be there is found.
    expect(places.get('arguments')).toContain(site.actionPath)
    expect(phases.length).toBeGreaterThan(0)
  }

  test('by an upload with everything in the cache', async () => {
    const main = await runAll(await machine(), inputs())
    expect(main.exitCode).toBe(0)
    expect(site.cache.entries.length).toBeGreaterThan(0)
    expect(main.masks).toEqual(expect.arrayContaining([passphrase, password]))
    await expectNothingTold()
  })

  test('by an upload that is interrupted, and by the one that goes on from there', async () => {
    site.link.bytesPerSecond = 8 * mebibyte
    void site.link.cutAfter(fewBlocks).then(() => (site.link.refuse = true))
    expect((await runAll(await machine(), inputs())).exitCode).toBe(1)
    site.link.refuse = false
    site.link.bytesPerSecond = undefined
    const again = await runAll(await machine({ attempt: 2 }), inputs())
    expect(again.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
    await expectNothingTold()
  })

  test('by an upload that is killed, and its post step', async () => {
    const on = await machine()
    site.link.bytesPerSecond = 4 * mebibyte
    const phase = await on.startMain(inputs(), debug)
    await phase.waitForLine(/^Starting /)
    phase.kill('SIGKILL')
    phases.push(await phase.done, await on.runPost())
    await expectNothingTold()
  })

  test.each<[string, () => Inputs]>([
    ['a key that is not accepted', () => ({ key: generateKeyPair().private, passphrase: '', password: '' })],
    ['a wrong passphrase', () => ({ passphrase: `${passphrase}!` })],
    ['no passphrase', () => ({ passphrase: '' })],
    ['half a key', () => ({ key: key.slice(0, key.length / 2) })],
    ['a damaged key', () => ({ key: key.replace(/^(.{100})./s, '$1!') })],
    ['a key in one line', () => ({ key: key.replaceAll('\n', '\\n'), port: 'x' })],
    ['the key in place of the known hosts', () => ({ 'known-hosts': key })],
    ['the decrypted key in place of a fingerprint', () => ({ 'host-key-fingerprint': site.sshd.privateKey })],
    ['the password in place of the key', () => ({ key: password })],
    ['another host key', () => ({ 'known-hosts': `* ${generateKeyPair().public}` })],
    ['no host key', () => ({ 'known-hosts': '' })]
  ])('by a failure because of %s', async (_, wrong) => {
    const more = wrong()
    if (more.key !== undefined) {
      const lines = more.key.split('\n').filter(line => line.length >= 8 && !line.startsWith('-----'))
      needles = new Map([...needles, ...lines.map(line => ['a line of the wrong key', line] as const)])
    }
    expect((await runAll(await machine(), inputs(more))).exitCode).toBe(1)
    await expectNothingTold()
  })

  describe('by a login with a password', () => {
    test('that succeeds', async () => {
      expect((await runAll(await machine(), passwordInputs())).exitCode).toBe(0)
      expect(site.cache.entries.length).toBeGreaterThan(0)
      await expectNothingTold()
    })

    test('that is refused', async () => {
      expect((await runAll(await machine(), passwordInputs({ username: 'nobody' }))).exitCode).toBe(1)
      await expectNothingTold()
    })

    test('to a server that tells it in its answers: the log is masked', async () => {
      passwordServer.faults.forge = ({ op, id }, honest) =>
        op === 'write' ? [formatStatus(id, 3, `no entry for ${password}`)] : [honest]
      const main = await runAll(await machine(), passwordInputs())
      passwordServer.faults.forge = undefined
      expect(main.exitCode).toBe(1)
      expect(main.log).toContain('no entry for ***')
      expect(main.log).not.toContain(password)
    })
  })
})
