import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { agentSecret, openAgent } from '../../src/adapters/sftp/agent.js'
import { writeArtifact } from '../support/artifact.js'
import { startLink, type Link } from '../support/link.mjs'
import type { Inputs, PhaseResult } from '../support/runner.mjs'
import { buildArtifact, fewBlocks, mebibyte, useSite } from '../support/runner-site.js'
import { needlesOfKey, needlesOfKeys, needlesOfText } from '../support/secret-needles.js'
import { useSecretSearch } from '../support/secret-search.js'
import { describeWithAgent, startAgent, type TestAgent } from '../support/ssh-agent.js'
import { describeWithSshd, type Sshd } from '../support/sshd.js'

jest.setTimeout(90_000)

const password = 'pa$$word "beside" %0A & an <agent>, 57721566'
/** What can be cut half way. */
const large = 16 * mebibyte

describeWithAgent('with an SSH agent', () => {
  describeWithSshd('no secret is told, kept or put on a command line', () => {
    const site = useSite()
    const search = useSecretSearch(site)
    let agent: TestAgent
    let sshd: Sshd
    let link: Link

    beforeAll(async () => {
      agent = await startAgent()
    })
    afterAll(() => agent.close())

    beforeEach(() => {
      search.hide(needlesOfKeys('the server', site.sshd), needlesOfText('password', password))
    })

    /** Gives the agent a new key, whose signature seals the state, and returns the file of its public half. */
    async function hold(type: string): Promise<string> {
      const { privateKey, publicFile, fingerprint } = await agent.holdOnly(type)
      search.hide(needlesOfKey(`the agent's key ${fingerprint}`, privateKey))
      const secret = await agentSecret(await openAgent(agent.socket))
      if (secret !== undefined) search.hide(needlesOfText(`the signature of ${fingerprint}`, secret))
      return publicFile
    }

    /** A server that knows only the agent's new key. */
    async function serve(type: string): Promise<void> {
      const publicFile = await hold(type)
      sshd = await search.startSshd({ options: [`AuthorizedKeysFile ${publicFile}`] })
      link = site.closeLater(await startLink({ port: sshd.port }))
    }

    const environment = () => ({ SSH_AUTH_SOCK: agent.socket })

    async function upload(more: Inputs = {}, { attempt = 1, size = mebibyte } = {}): Promise<PhaseResult> {
      const on = await search.machine({ attempt })
      await buildArtifact(on, size)
      const server = { port: String(link.port), 'known-hosts': sshd.formatKnownHosts(link.port) }
      const place = { 'remote-path': sshd.root, 'checkpoint-interval': '1' }
      return search.run(on, site.inputs({ ...server, ...place, key: '', ...more }), environment())
    }

    test.each<[type: string, place: string, Inputs]>([
      ['ed25519', 'in the cache', {}],
      ['ed25519', 'on the server', { state: 'server' }],
      ['rsa', 'in the cache', {}],
      ['ecdsa', 'nowhere', {}]
    ])('by an upload with an %s key and the state %s', async (type, _, store) => {
      await serve(type)
      expect((await upload(store)).exitCode).toBe(0)
      await search.expectNothingTold()
    })

    test('by an upload that is interrupted, and by the one that goes on from there', async () => {
      await serve('ed25519')
      link.bytesPerSecond = 8 * mebibyte
      void link.cutAfter(fewBlocks).then(() => (link.refuse = true))
      expect((await upload({}, { size: large })).exitCode).toBe(1)
      link.refuse = false
      link.bytesPerSecond = undefined
      const again = await upload({}, { attempt: 2, size: large })
      expect(again.outputs).toMatchObject({ state: 'complete', 'resumed-count': '1' })
      await search.expectNothingTold()
    })

    test('by a login that is refused, with a key and a password besides', async () => {
      await serve('ed25519')
      await hold('ed25519')
      const login = { key: site.sshd.privateKey, password, 'ssh-agent': agent.socket }
      expect((await upload(login)).exitCode).toBe(1)
      await search.expectNothingTold()
    })

    test.each(['ed25519', 'ecdsa'])('by the command line with an %s key', async type => {
      await serve(type)
      const home = await search.makeHome(sshd.formatKnownHosts(link.port))
      await writeArtifact(join(home, 'project', 'app.bin'), mebibyte, 'app')
      const argv = ['app.bin', `${sshd.root}/`, '--host', sshd.host, '--port', String(link.port)]
      const flags = ['--user', sshd.username, '--json']
      const { exitCode } = await search.startCommand(home, [...argv, ...flags], {
        environment: environment()
      }).done
      expect(exitCode).toBe(0)
      if (type === 'ecdsa') await takeOwnSecret(home)
      await search.expectNothingTold()
    })

    /** The one file that holds the secret of a machine is where it belongs. */
    async function takeOwnSecret(home: string): Promise<void> {
      const file = join(home, '.local', 'state', 'resumable-sftp-upload', 'secret')
      search.hide(needlesOfText('the secret of the machine', (await readFile(file, 'utf8')).trim()))
      await rm(file)
    }
  })
})
