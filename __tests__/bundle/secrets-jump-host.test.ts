import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { startLink } from '../support/link.mjs'
import type { Inputs, PhaseResult } from '../support/runner.mjs'
import { buildArtifact, fewBlocks, mebibyte, useSite } from '../support/runner-site.js'
import { needlesOfKey, needlesOfKeys, needlesOfText } from '../support/secret-needles.js'
import { useSecretSearch } from '../support/secret-search.js'
import { generateKeyPair, type SftpServer } from '../support/sftp-server.mjs'
import { describeWithSshd, type Sshd } from '../support/sshd.js'

jest.setTimeout(90_000)

const passphrase = 'an old horse of the server 50281947'
const password = 'pa$$word "of" %0A & the <server>, 31415962'
const jumpPassphrase = 'another horse, of the jump host 60184275'
const jumpPassword = 'pa$$word \\of\\ %25 & the <jump> host, 27182845'
/** What can be cut half way. */
const large = 16 * mebibyte

describeWithSshd('no secret of a jump host is told, kept or put on a command line', () => {
  const site = useSite({ passphrase })
  const search = useSecretSearch(site)

  beforeEach(() => {
    search.hide(
      needlesOfKeys('the server', site.sshd),
      needlesOfText('passphrase', passphrase),
      needlesOfText('password', password),
      needlesOfText('jump-passphrase', jumpPassphrase),
      needlesOfText('jump-password', jumpPassword)
    )
  })

  interface Jump {
    readonly host: string
    readonly username?: string
    readonly formatKnownHosts: (port: number) => string
  }

  /** Inputs for the way over this jump host, which listens at this port. */
  function through(
    { host, username = 'deploy', formatKnownHosts }: Jump,
    port: number,
    more: Inputs
  ): Inputs {
    return site.inputs({
      key: site.sshd.encryptedKey,
      passphrase,
      password,
      'jump-host': `${username}@${host}:${port}`,
      'jump-known-hosts': formatKnownHosts(port),
      'checkpoint-interval': '1',
      ...more
    })
  }

  async function upload(given: Inputs, { attempt = 1, size = mebibyte } = {}): Promise<PhaseResult> {
    const on = await search.machine({ attempt })
    await buildArtifact(on, size)
    return search.run(on, given)
  }

  async function expectFailure(given: Inputs): Promise<void> {
    expect((await upload(given)).exitCode).toBe(1)
    await search.expectNothingTold()
  }

  describe('by a login there with a key', () => {
    let jump: Sshd

    beforeEach(async () => {
      jump = await search.startSshd({ passphrase: jumpPassphrase })
      search.hide(needlesOfKeys('the jump host', jump))
    })

    function withKey(more: Inputs = {}, port = jump.port): Inputs {
      const login = { 'jump-key': jump.encryptedKey, 'jump-passphrase': jumpPassphrase }
      return through(jump, port, { ...login, 'jump-password': jumpPassword, ...more })
    }

    test.each<[string, Inputs]>([
      ['in the cache', {}],
      ['on the server', { state: 'server' }]
    ])('that succeeds, with the state %s', async (_, store) => {
      const main = await upload(withKey(store))
      expect(main.exitCode).toBe(0)
      const keyLines = needlesOfKey('the key', jump.encryptedKey).values()
      expect(main.masks).toEqual(expect.arrayContaining([jumpPassphrase, jumpPassword, ...keyLines]))
      await search.expectNothingTold()
    })

    test('that is cut, and by the one that goes on from there', async () => {
      const link = site.closeLater(await startLink({ port: jump.port }))
      link.bytesPerSecond = 8 * mebibyte
      void link.cutAfter(fewBlocks).then(() => (link.refuse = true))
      expect((await upload(withKey({}, link.port), { size: large })).exitCode).toBe(1)
      link.refuse = false
      link.bytesPerSecond = undefined
      const again = await upload(withKey({}, link.port), { attempt: 2, size: large })
      expect(again.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      await search.expectNothingTold()
    })

    test.each<[string, () => Inputs]>([
      ['a wrong passphrase', () => ({ 'jump-passphrase': `${jumpPassphrase}!` })],
      ['the passphrase of the other key', () => ({ 'jump-passphrase': '' })],
      ['a key that is not accepted', () => ({ 'jump-key': generateKeyPair().private, 'jump-password': '' })],
      ['half a key', () => ({ 'jump-key': jump.encryptedKey.slice(0, jump.encryptedKey.length / 2) })],
      ['the key in place of the known hosts', () => ({ 'jump-known-hosts': jump.privateKey })],
      ['the key in place of a fingerprint', () => ({ 'jump-host-key-fingerprint': jump.privateKey })],
      ['no jump host', () => ({ 'jump-host': '' })],
      ['the server behind it, which refuses the login', () => ({ username: 'nobody' })]
    ])('that fails because of %s', async (_, wrong) => {
      const more = wrong()
      search.hide(needlesOfKey('the wrong key', more['jump-key'] ?? ''))
      await expectFailure(withKey(more))
    })
  })

  describe('by a login there with a password', () => {
    let jump: SftpServer

    beforeEach(async () => {
      jump = await search.startServer(jumpPassword)
    })

    function withPassword(more: Inputs = {}): Inputs {
      return through(jump, jump.port, { 'jump-password': jumpPassword, ...more })
    }

    test('that succeeds', async () => {
      expect((await upload(withPassword())).exitCode).toBe(0)
      expect(jump.logins).toContainEqual({ method: 'password', username: 'deploy', accepted: true })
      await search.expectNothingTold()
    })

    test('that is refused', async () => {
      await expectFailure(withPassword({ 'jump-password': `${jumpPassword}!` }))
      expect(jump.logins).toContainEqual({ method: 'password', username: 'deploy', accepted: false })
    })

    test('before one with another password that the server refuses', async () => {
      const { host, port, knownHosts, logins } = await search.startServer(password)
      const server = { host, port: String(port), 'known-hosts': knownHosts, username: 'deploy' }
      await expectFailure(withPassword({ ...server, key: '', passphrase: '', password: `${password}!` }))
      expect(logins).toContainEqual({ method: 'password', username: 'deploy', accepted: false })
    })
  })
})
