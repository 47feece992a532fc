import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createRunner, type Environment, type Inputs, type PhaseResult } from '../support/runner.mjs'
import {
  buildTree,
  copyAction,
  errorsOf,
  makeDirectory,
  unmaskedLog,
  until,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { startSftpServer, type SftpServer, type SftpUser } from '../support/sftp-server.mjs'
import { describeWithSshd, startSshd } from '../support/sshd.js'

jest.setTimeout(30_000)

const run = promisify(execFile)
const passphrase = 'a passphrase with "quotes" and spaces'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'login-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

async function generateKey(type: string, ...options: string[]) {
  const file = join(directory, `key-${type}-${options.length}`)
  await run('ssh-keygen', ['-q', '-t', type, '-N', '', ...options, '-f', file])
  return { private: await readFile(file, 'utf8'), publicFile: `${file}.pub` }
}

describeWithSshd('a login at sshd', () => {
  const site = useSite()

  async function upload(inputs: Inputs): Promise<PhaseResult> {
    const machine = await site.machine({ withCache: false })
    await buildTree(machine, { 'notes.txt': 'notes' })
    return machine.runMain(site.inputs({ state: 'none', retries: '5', ...inputs }))
  }

  async function expectUploaded(result: PhaseResult, root = site.target) {
    expect(errorsOf(result)).toEqual([])
    expect([result.exitCode, warningsOf(result)]).toEqual([0, []])
    expect(await readFile(join(root, 'notes.txt'), 'utf8')).toBe('notes')
  }

  test.each<[string, string, string[]]>([
    ['ed25519', 'ed25519', []],
    ['RSA', 'rsa', ['-b', '2048']],
    ['RSA in PEM', 'rsa', ['-b', '2048', '-m', 'PEM']],
    ['RSA in PKCS#8', 'rsa', ['-b', '2048', '-m', 'PKCS8']],
    ['ECDSA', 'ecdsa', []],
    ['ECDSA with 521 bits', 'ecdsa', ['-b', '521']],
    ['encrypted RSA in PEM', 'rsa', ['-b', '2048', '-m', 'PEM', '-N', passphrase]]
  ])('with a key: %s', async (_name, type, options) => {
    const key = await generateKey(type, ...options)
    const sshd = site.closeLater(await startSshd({ options: [`AuthorizedKeysFile ${key.publicFile}`] }))
    const result = await upload({
      port: String(sshd.port),
      key: key.private,
      passphrase: options.includes(passphrase) ? passphrase : '',
      'known-hosts': sshd.knownHosts,
      'remote-path': sshd.root
    })
    await expectUploaded(result, sshd.root)
  })

  test('with an encrypted key and its passphrase', async () => {
    const { encryptedKey, passphrase } = site.sshd
    await expectUploaded(await upload({ key: encryptedKey, passphrase }))
  })

  test('with a passphrase that the key does not need', async () => {
    await expectUploaded(await upload({ passphrase: 'for nothing' }))
  })

  test.each<[string, (key: string) => string]>([
    ['with Windows line breaks', key => key.replaceAll('\n', '\r\n')],
    ['with \\n for line breaks', key => key.replaceAll('\n', '\\n')],
    ['with \\r\\n for line breaks', key => key.replaceAll('\n', '\\r\\n')],
    ['with spaces for line breaks', key => key.replaceAll('\n', ' ')],
    ['without the last line break', key => key.trimEnd()],
    ['with blank lines around it', key => `\n\n${key}\n\n`],
    ['indented', key => key.replace(/^/gm, '    ')],
    ['in quotes', key => `"${key.trim()}"`],
    ['in base64 once more', key => Buffer.from(key).toString('base64')]
  ])('with a key pasted %s, which stays secret', async (_name, paste) => {
    const result = await upload({ key: paste(site.sshd.privateKey) })
    await expectUploaded(result)
    const told = [result.log, unmaskedLog(result), result.summary].join('\n')
    const lines = [site.sshd.privateKey, paste(site.sshd.privateKey)].flatMap(key =>
      key.split(/\r?\n|\\r|\\n| /)
    )
    for (const line of lines.filter(line => line.length >= 20)) expect(told).not.toContain(line)
  })

  test.each<[string, () => Inputs, RegExp]>([
    ['no passphrase', () => ({ key: site.sshd.encryptedKey }), /^(?:key|passphrase): .*passphrase/],
    [
      'a wrong passphrase',
      () => ({ key: site.sshd.encryptedKey, passphrase: 'wrong guess' }),
      /^passphrase: .*wrong/
    ],
    ['a public key', () => ({ key: `ssh-ed25519 ${'A'.repeat(68)} me@home` }), /^key: .*public key/],
    ['a path', () => ({ key: '~/.ssh/id_ed25519' }), /^key: .*file path/],
    ['half of it', () => ({ key: site.sshd.privateKey.slice(0, 200) }), /^key: .*cut off/],
    ['text', () => ({ key: 'not a key' }), /^key: .*private key/]
  ])('with a key and %s: fails before any connection', async (_name, inputs, expected) => {
    const result = await upload(inputs())
    expect(result.exitCode).toBe(1)
    expect(errorsOf(result)).toEqual([expect.stringMatching(expected)])
    expect(result.outputs.state).toBe('incomplete')
    expect(site.link.connections).toBe(0)
    expect(unmaskedLog(result)).not.toMatch(/wrong guess|not a key/)
  })

  test('with a key that is not accepted: one attempt, and what to do', async () => {
    const logged = site.sshd.log().length
    const key = await generateKey('ed25519')
    const result = await upload({ key: key.private })
    expect([result.exitCode, site.link.connections]).toEqual([1, 1])
    const fingerprint = (await run('ssh-keygen', ['-lf', key.publicFile])).stdout.split(' ')[1] ?? ''
    const [error = ''] = errorsOf(result)
    expect(error).toContain(site.sshd.username)
    expect(error).toContain(fingerprint)
    expect(error).toContain('authorized_keys')
    const log = () => site.sshd.log().slice(logged)
    await until(
      () => log().includes('Disconnected from authenticating user'),
      10_000,
      'sshd has seen the end'
    )
    expect(log().match(/Failed publickey/g) ?? []).toHaveLength(1)
    expect(log()).not.toMatch(/Failed (?:none|password|keyboard)/)
  })
})

describe('a login', () => {
  let server: SftpServer
  let actionPath: string
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    actionPath = await copyAction()
  })

  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  afterAll(async () => {
    await rm(actionPath, { recursive: true, force: true })
  })

  async function upload(
    user: Omit<SftpUser, 'username'>,
    inputs: Inputs,
    environment: Environment = {}
  ): Promise<PhaseResult> {
    const root = await makeDirectory(directory, 'remote')
    server = await startSftpServer({ root, users: [{ username: 'deploy', ...user }] })
    closing.push(() => server.close())
    const machine = await createRunner({ actionPath })
    closing.push(() => machine.cleanup())
    await buildTree(machine, { 'notes.txt': 'notes' })
    return machine.runMain(
      {
        host: server.host,
        port: String(server.port),
        username: 'deploy',
        'known-hosts': server.knownHosts,
        paths: 'build',
        state: 'none',
        retries: '5',
        ...inputs
      },
      environment
    )
  }

  async function expectUploaded(result: PhaseResult) {
    expect([errorsOf(result), warningsOf(result), result.exitCode]).toEqual([[], [], 0])
    expect(await readFile(join(directory, 'remote/notes.txt'), 'utf8')).toBe('notes')
  }

  const tried = () => server.logins.map(({ method, accepted }) => [method, accepted])
  const password = 'pa$$ "word" %20 \u00e9'

  test('with a password, which the log does not show', async () => {
    const result = await upload({ password }, { password })
    await expectUploaded(result)
    expect(tried()).toEqual([['password', true]])
    expect(unmaskedLog(result)).not.toContain(password)
  })

  test('shows its dialogue where RUNNER_DEBUG is set, without a secret', async () => {
    const result = await upload({ password }, { password }, { RUNNER_DEBUG: '1' })
    await expectUploaded(result)
    expect(result.rawLog).toMatch(/^::debug::connect to 127\.0\.0\.1 port \d+: .*KEX algorithm/m)
    expect(result.rawLog.match(/^::debug::connect/gm)?.length).toBeLessThan(200)
    expect(unmaskedLog(result)).not.toContain(password)
  })

  test('with a password that is asked for by keyboard-interactive', async () => {
    await expectUploaded(await upload({ keyboardInteractive: [password] }, { password }))
  })

  test('with a password that ends in the line break of its file', async () => {
    await expectUploaded(await upload({ password }, { password: `${password}\n` }))
  })

  test('with a password that begins and ends with a blank', async () => {
    await expectUploaded(await upload({ password: ' blanks count ' }, { password: ' blanks count \n' }))
  })

  test('with a key that is refused, and a password', async () => {
    const { private: key } = await generateKey('ed25519')
    await expectUploaded(await upload({ password }, { key, password }))
  })

  test('with a wrong password: one attempt, and the user is named', async () => {
    const result = await upload({ password }, { password: 'wrong guess' })
    expect([result.exitCode, server.connections]).toEqual([1, 1])
    expect(errorsOf(result)[0]).toMatch(/refuses deploy with the password/)
    expect(tried().filter(([method]) => method === 'password')).toEqual([['password', false]])
    expect(unmaskedLog(result)).not.toContain('wrong guess')
  })

  test('of an unknown user: one attempt, and the user is named', async () => {
    const result = await upload({ password }, { password, username: 'nobody' })
    expect([result.exitCode, server.connections]).toEqual([1, 1])
    expect(errorsOf(result)[0]).toMatch(/refuses nobody/)
  })
})
