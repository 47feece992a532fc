import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeArtifact } from '../support/artifact.js'
import type { CommandResult } from '../support/command.js'
import { fewBlocks, listFiles, mebibyte, until, useSite } from '../support/runner-site.js'
import { needlesOfKeys, needlesOfText } from '../support/secret-needles.js'
import { useSecretSearch } from '../support/secret-search.js'
import type { SftpServer } from '../support/sftp-server.mjs'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(90_000)

const passphrase = 'a horse on a command line 84620173'
const password = 'pa$$word "on" %0A & a <command> line, 16180339'
/** What can be cut half way. */
const large = 16 * mebibyte

describeWithSshd('the command line tells, keeps and passes on no secret', () => {
  const site = useSite({ passphrase })
  const search = useSecretSearch(site)
  /** Elsewhere than the home directory, which is searched. */
  let keyFile: string
  let server: SftpServer
  let home: string

  beforeEach(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'key-'))
    site.closeLater({ close: () => rm(directory, { recursive: true, force: true }) })
    keyFile = join(directory, 'id')
    await writeFile(keyFile, site.sshd.encryptedKey, { mode: 0o600 })
    server = await search.startServer(password)
    home = await search.makeHome(site.sshd.formatKnownHosts(site.link.port) + server.knownHosts)
    await build(mebibyte)
    search.hide(
      needlesOfKeys('the server', site.sshd),
      needlesOfText('passphrase', passphrase),
      needlesOfText('password', password)
    )
  })

  async function build(size: number): Promise<void> {
    await writeArtifact(join(home, 'project', 'app.bin'), size, 'app')
  }

  const withKey = () => ({
    SFTP_HOST: site.sshd.host,
    SFTP_PORT: String(site.link.port),
    SFTP_USER: site.sshd.username,
    SFTP_KEY: keyFile,
    SFTP_PASSPHRASE: passphrase
  })
  const withPassword = () => ({
    SFTP_HOST: server.host,
    SFTP_PORT: String(server.port),
    SFTP_USER: 'deploy',
    SFTP_PASSWORD: password
  })

  type Variables = Readonly<Record<string, string>>

  function start(environment: Variables, ...flags: string[]) {
    // The other server has a disk of its own.
    const target = environment.SFTP_PASSWORD === undefined ? `${site.target}/` : 'site/'
    return search.startCommand(home, ['app.bin', target, ...flags], { environment })
  }

  function upload(environment: Variables, ...flags: string[]): Promise<CommandResult> {
    return start(environment, ...flags).done
  }

  const stateFiles = async () => (await listFiles(home)).filter(name => name.endsWith('.upload.meta'))

  describe.each<[string, () => Variables]>([
    ['a passphrase', withKey],
    ['a password', withPassword]
  ])('with %s in the environment', (_, login) => {
    test.each([[[]], [['--json']]])('when it succeeds (%j)', async flags => {
      expect((await upload(login(), ...flags)).exitCode).toBe(0)
      expect(await stateFiles()).toHaveLength(1)
      await search.expectNothingTold()
    })

    test('when nothing answers', async () => {
      const { exitCode, stdout } = await upload({ ...login(), SFTP_PORT: '9' }, '--json', '--retries', '0')
      expect([exitCode, JSON.parse(stdout)]).toEqual([3, expect.objectContaining({ state: 'incomplete' })])
      await search.expectNothingTold()
    })
  })

  test('when it is cut, and when it goes on from its state directory', async () => {
    await build(large)
    const flags = ['--json', '--retries', '0', '--state-dir', join(home, 'state')]
    site.link.bytesPerSecond = 8 * mebibyte
    void site.link.cutAfter(fewBlocks).then(() => (site.link.refuse = true))
    expect((await upload(withKey(), ...flags)).exitCode).toBe(3)
    expect(await stateFiles()).toEqual([expect.stringMatching(/^state\//)])
    site.link.refuse = false
    site.link.bytesPerSecond = undefined
    const again = await upload(withKey(), ...flags)
    expect(JSON.parse(again.stdout)).toMatchObject({ state: 'complete', resumedCount: 1 })
    await search.expectNothingTold()
  })

  test('when it is killed', async () => {
    await build(large)
    site.link.bytesPerSecond = 4 * mebibyte
    const command = start(withKey(), '--checkpoint-interval', '1')
    await until(async () => (await stateFiles()).length > 0, 20_000, 'a checkpoint')
    command.kill('SIGKILL')
    await command.done
    await search.expectNothingTold()
  })

  test.each<[string, () => Variables, number]>([
    ['a wrong password', () => ({ ...withPassword(), SFTP_PASSWORD: `${password}!` }), 4],
    ['a wrong passphrase', () => ({ ...withKey(), SFTP_PASSPHRASE: `${passphrase}!` }), 2],
    ['no passphrase', () => ({ ...withKey(), SFTP_PASSPHRASE: '' }), 2],
    ['a user that is not there', () => ({ ...withKey(), SFTP_USER: 'nobody-here' }), 4],
    ['a key in place of its file', () => ({ ...withKey(), SFTP_KEY: site.sshd.encryptedKey }), 2],
    ['the password in place of the key file', () => ({ ...withKey(), SFTP_KEY: password }), 2]
  ])('when it fails because of %s', async (_, environment, code) => {
    for (const flags of [[], ['--json']]) {
      expect((await upload(environment(), ...flags)).exitCode).toBe(code)
    }
    await search.expectNothingTold()
  })

  test.each([
    ['that takes the password', '', 0],
    ['that refuses it', '!', 4]
  ])('through a jump host %s', async (_, end, code) => {
    const environment = { ...withPassword(), SFTP_PASSWORD: password + end }
    const { exitCode } = await upload(environment, '--jump-host', `deploy@${server.host}:${server.port}`)
    expect(exitCode).toBe(code)
    await search.expectNothingTold()
  })

  // Elsewhere script(1) is another program.
  const testOnLinux = process.platform === 'linux' ? test : test.skip

  testOnLinux.each([
    ['that is accepted', '', 0],
    ['that is refused', '!', 4]
  ])('when it asks for a password %s', async (_, end, code) => {
    const environment = { ...withPassword(), SFTP_PASSWORD: '' }
    const options = { environment, onTerminal: true }
    const command = search.startCommand(home, ['app.bin', 'site/'], options)
    await until(() => command.written().includes('Password of'), 10_000, 'the question')
    command.type(`${password}${end}\n`)
    expect((await command.done).exitCode).toBe(code)
    await search.expectNothingTold()
  })
})
