import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Inputs, PhaseResult } from '../support/runner.mjs'
import { buildTree, errorsOf, until, useSite, warningsOf } from '../support/runner-site.js'
import { generateKeyPair } from '../support/sftp-server.mjs'
import { describeWithSshd, startSshd, type Sshd } from '../support/sshd.js'

jest.setTimeout(30_000)

const run = promisify(execFile)
const otherKey = generateKeyPair().public.split(' ').slice(0, 2).join(' ')
const otherFingerprint = `SHA256:${'A'.repeat(43)}`

describeWithSshd('host keys', () => {
  const site = useSite()
  let logged: number

  beforeEach(() => {
    logged = site.sshd.log().length
  })

  const name = () => `[${site.sshd.host}]:${site.link.port}`
  const rightLine = () => site.sshd.formatKnownHosts(site.link.port).trim()

  /** Uploads a file with this pinned, and nothing else. */
  async function upload(pinned: Inputs): Promise<PhaseResult> {
    const machine = await site.machine({ withCache: false })
    await buildTree(machine, { 'notes.txt': 'notes' })
    return machine.runMain(site.inputs({ 'known-hosts': '', state: 'none', retries: '5', ...pinned }))
  }

  /** What sshd says of logins. It has seen the end of the connection: nothing more comes. */
  async function loginsSeen(): Promise<string[]> {
    const log = () => site.sshd.log().slice(logged)
    const ended = () =>
      /^(?:Connection closed|Connection reset|Disconnected|Received disconnect|.*\[preauth\])/m.test(log())
    await until(ended, 10_000, 'the connection is over')
    return log().match(/^.*(?:authenticating user|Accepted|Failed|Postponed|invalid user).*$/gim) ?? []
  }

  async function expectUploaded(result: PhaseResult) {
    expect(errorsOf(result)).toEqual([])
    expect(result.exitCode).toBe(0)
    expect(warningsOf(result)).toEqual([])
    expect((await loginsSeen()).at(-1)).toMatch(/^Accepted publickey for/)
    expect(await readFile(join(site.target, 'notes.txt'), 'utf8')).toBe('notes')
  }

  async function expectRefused(result: PhaseResult): Promise<string> {
    expect(result.exitCode).toBe(1)
    expect(result.outputs).toMatchObject({ state: 'incomplete', 'failed-count': '1' })
    expect(site.link.connections).toBe(1)
    expect(await loginsSeen()).toEqual([])
    const [error = ''] = errorsOf(result)
    expect(error).toContain('host key')
    expect(error).toContain(site.sshd.hostKeyFingerprint)
    return error
  }

  function hashed(line: string): string {
    const [host = '', ...key] = line.split(' ')
    const salt = randomBytes(20)
    const hash = createHmac('sha1', salt).update(host).digest('base64')
    return [`|1|${salt.toString('base64')}|${hash}`, ...key].join(' ')
  }

  test.each<[string, () => Inputs]>([
    ['a plain line', () => ({ 'known-hosts': rightLine() })],
    ['a hashed line', () => ({ 'known-hosts': hashed(rightLine()) })],
    [
      'a line of ssh-keyscan, with comments',
      () => ({ 'known-hosts': `# ${name()} SSH-2.0-OpenSSH\r\n${rightLine()} root@host\r\n\r\n` })
    ],
    [
      'a line among others',
      () => ({ 'known-hosts': `github.com ${otherKey}\n${hashed(`other ${otherKey}`)}\n${rightLine()}\n` })
    ],
    ['a line with blanks and blank lines around it', () => ({ 'known-hosts': `\n\n  ${rightLine()} \n\n` })],
    ['one of two keys of the host', () => ({ 'known-hosts': `${name()} ${otherKey}\n${rightLine()}` })],
    ['a fingerprint only', () => ({ 'host-key-fingerprint': site.sshd.hostKeyFingerprint })],
    ['a fingerprint with padding', () => ({ 'host-key-fingerprint': `${site.sshd.hostKeyFingerprint}=` })],
    [
      'one of several fingerprints',
      () => ({ 'host-key-fingerprint': `${otherFingerprint}\n${site.sshd.hostKeyFingerprint}\n` })
    ],
    [
      'a fingerprint, beside a line for another host',
      () => ({
        'known-hosts': `github.com ${otherKey}`,
        'host-key-fingerprint': site.sshd.hostKeyFingerprint
      })
    ]
  ])('right, in %s: uploads', async (_name, pinned) => {
    await expectUploaded(await upload(pinned()))
  })

  test.each<[string, () => Inputs]>([
    ['a wrong key', () => ({ 'known-hosts': `${name()} ${otherKey}` })],
    ['a wrong key in a hashed line', () => ({ 'known-hosts': hashed(`${name()} ${otherKey}`) })],
    ['a wrong fingerprint', () => ({ 'host-key-fingerprint': otherFingerprint })],
    ['nothing', () => ({})],
    [
      'a line for another host',
      () => ({ 'known-hosts': `github.com ${rightLine().split(' ').slice(1).join(' ')}` })
    ],
    ['a line for another port', () => ({ 'known-hosts': rightLine().replace(/:\d+/, ':22222') })],
    [
      'a line that excludes the host',
      () => ({ 'known-hosts': `!${name()},* ${rightLine().split(' ').slice(1).join(' ')}` })
    ]
  ])('pinned with %s: no login, no retry, and the line that helps', async (_name, pinned) => {
    const result = await upload(pinned())
    const error = await expectRefused(result)
    const line = error.split('\n').find(text => text.startsWith(`${name()} ssh-ed25519 `))
    expect(line).toBe(rightLine())
    logged = site.sshd.log().length
    await expectUploaded(await upload({ 'known-hosts': line ?? '' }))
  })

  test('revoked: no login, whatever else is pinned', async () => {
    const pinned = {
      'known-hosts': `${rightLine()}\n@revoked ${rightLine()}`,
      'host-key-fingerprint': site.sshd.hostKeyFingerprint
    }
    expect(await expectRefused(await upload(pinned))).toContain('@revoked')
  })

  test('not checked: uploads, with a warning in every run', async () => {
    const result = await upload({ 'host-key-check': 'off' })
    expect(result.exitCode).toBe(0)
    expect(warningsOf(result)).toEqual([expect.stringContaining('host-key-check')])
  })

  describe('of several types', () => {
    let directory: string
    let sshd: Sshd
    const lines: string[] = []

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'host-keys-'))
      const options: string[] = []
      for (const type of ['rsa', 'ecdsa']) {
        const file = join(directory, type)
        await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file])
        options.push(`HostKey ${file}`)
        lines.push((await readFile(`${file}.pub`, 'utf8')).split(' ').slice(0, 2).join(' '))
      }
      sshd = await startSshd({ options })
      lines.push(sshd.knownHosts.trim().split(' ').slice(1).join(' '))
    })

    afterAll(async () => {
      await sshd.close()
      await rm(directory, { recursive: true, force: true })
    })

    test.each([
      ['rsa', 0],
      ['ecdsa', 1],
      ['ed25519', 2]
    ])('only %s pinned: the server is asked for that one', async (_type, index) => {
      const result = await upload({
        port: String(sshd.port),
        username: sshd.username,
        key: sshd.privateKey,
        'remote-path': sshd.root,
        'known-hosts': `[${sshd.host}]:${sshd.port} ${lines[index] ?? ''}`
      })
      expect(errorsOf(result)).toEqual([])
      expect(result.exitCode).toBe(0)
    })
  })
})
