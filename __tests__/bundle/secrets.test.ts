import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { join } from 'node:path'
import type { Inputs, PhaseResult, Runner } from '../support/runner.mjs'
import { buildArtifact, fewBlocks, mebibyte, stateFiles, useSite } from '../support/runner-site.js'
import { needlesOfKey, needlesOfKeys, needlesOfText } from '../support/secret-needles.js'
import { useSecretSearch } from '../support/secret-search.js'
import { generateKeyPair, type SftpServer } from '../support/sftp-server.mjs'
import { describeWithSshd } from '../support/sshd.js'
import { formatStatus } from '../support/sftp-wire.mjs'

jest.setTimeout(90_000)

const passphrase = 'correct horse battery staple 73190246'
const password = 'pa$$word "with" %0A & <b>, 48151623'
/** What can be cut half way. */
const large = 16 * mebibyte

describeWithSshd('no secret is told, kept or put on a command line', () => {
  const site = useSite({ passphrase })
  const search = useSecretSearch(site)
  let key: string

  beforeEach(() => {
    key = site.sshd.encryptedKey
    search.hide(
      needlesOfKeys('the server', site.sshd),
      needlesOfText('passphrase', passphrase),
      needlesOfText('password', password)
    )
  })

  async function machine(attempt: number, size: number): Promise<Runner> {
    const made = await search.machine({ attempt })
    await buildArtifact(made, size)
    return made
  }

  function inputs(more: Inputs = {}): Inputs {
    return site.inputs({ key, passphrase, password, 'checkpoint-interval': '1', ...more })
  }

  async function upload(given: Inputs, { attempt = 1, size = mebibyte } = {}): Promise<PhaseResult> {
    return search.run(await machine(attempt, size), given)
  }

  describe.each([
    ['in the cache', {}],
    ['on the server', { state: 'server' }]
  ])('with the state %s', (_place, store: Inputs) => {
    /** There is a state to look through where it should be, and nowhere else. */
    async function expectKept(): Promise<void> {
      const files = await stateFiles(site.target)
      const kept = [site.cache.entries.length > 0, files.length]
      expect(kept).toEqual(store.state === 'server' ? [false, 1] : [true, 0])
    }

    test('by an upload that succeeds', async () => {
      const main = await upload(inputs(store), { size: large })
      expect(main.exitCode).toBe(0)
      await expectKept()
      const keyLines = needlesOfKey('the key', key).values()
      expect(main.masks).toEqual(expect.arrayContaining([passphrase, password, ...keyLines]))
      await search.expectNothingTold()
    })

    test('by an upload that is interrupted, and by the one that goes on from there', async () => {
      site.link.bytesPerSecond = 8 * mebibyte
      // On the server the state has to get through, too.
      void site.link.cutAfter(fewBlocks).then(() => (site.link.refuse = store.state !== 'server'))
      expect((await upload(inputs(store), { size: large })).exitCode).toBe(1)
      await expectKept()
      site.link.refuse = false
      site.link.bytesPerSecond = undefined
      const again = await upload(inputs(store), { attempt: 2, size: large })
      expect(again.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      await search.expectNothingTold()
    })

    test('by an upload that is killed, and its post step', async () => {
      const on = await machine(1, large)
      site.link.bytesPerSecond = 4 * mebibyte
      const phase = await search.startMain(on, inputs(store))
      await phase.waitForLine(/^Starting /)
      phase.kill('SIGKILL')
      await phase.done
      await search.runPost(on)
      await search.expectNothingTold()
    })
  })

  test('anywhere that is looked at: what is no secret is found in each place', async () => {
    await upload(inputs())
    await expectSearchFinds('the target', site.target, ['raw log', 'log', 'outputs'])
    await expectSearchFinds('a heading', '### SFTP upload', ['summary'])
    await expectSearchFinds('a program', site.actionPath, ['processes'])
    await expectSearchFinds('a login', 'Accepted publickey', ['log of sshd 0'])
    await expectSearchFinds('the name of a field', '"seal":', ['cache entry'])
    await expectSearchFinds('the name of a file', 'app.bin', [site.sshd.root])
  })

  async function expectSearchFinds(what: string, text: string, places: readonly string[]): Promise<void> {
    search.hide(new Map([[what, text]]))
    const found = await search.expectNothingTold().then(() => '', String)
    for (const place of places) expect(found).toMatch(new RegExp(`${what} in (?:\\d+: )?${place}`))
  }

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
    search.hide(needlesOfKey('the wrong key', more.key ?? ''))
    expect((await upload(inputs(more))).exitCode).toBe(1)
    await search.expectNothingTold()
  })

  describe('by a login with a password', () => {
    let server: SftpServer

    beforeEach(async () => {
      server = await search.startServer(password)
    })

    function passwordInputs(more: Inputs = {}): Inputs {
      return site.inputs({
        host: server.host,
        port: String(server.port),
        username: 'deploy',
        'known-hosts': server.knownHosts,
        'remote-path': 'site',
        key: '',
        password,
        ...more
      })
    }

    test('that succeeds', async () => {
      expect((await upload(passwordInputs())).exitCode).toBe(0)
      expect(site.cache.entries.length).toBeGreaterThan(0)
      await search.expectNothingTold()
    })

    test('that succeeds, with the state on the server, whose whole disk is looked through', async () => {
      expect((await upload(passwordInputs({ state: 'server' }))).exitCode).toBe(0)
      expect(await stateFiles(join(server.root, 'site'))).toHaveLength(1)
      await search.expectNothingTold()
    })

    test.each<[string, Inputs]>([
      ['user', { username: 'nobody' }],
      ['password', { password: `${password}!` }],
      ['password, with the state on the server', { password: `${password}!`, state: 'server' }]
    ])('that is refused because of the %s', async (_, wrong) => {
      const main = await upload(passwordInputs(wrong))
      expect(main.exitCode).toBe(1)
      expect(server.logins).toContainEqual(expect.objectContaining({ method: 'password', accepted: false }))
      await search.expectNothingTold()
    })

    test('to a server that tells it in its answers: the log is masked', async () => {
      server.faults.forge = ({ op, id }, honest) =>
        op === 'write' ? [formatStatus(id, 3, `no entry for ${password}`)] : [honest]
      const main = await upload(passwordInputs())
      expect(main.exitCode).toBe(1)
      expect(main.log).toContain('no entry for ***')
      expect(main.log).not.toContain(password)
    })
  })
})
