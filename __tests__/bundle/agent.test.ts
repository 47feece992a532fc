import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { join } from 'node:path'
import { sha256File } from '../support/artifact.js'
import type { Environment, Inputs } from '../support/runner.mjs'
import { buildArtifact, errorsOf, mebibyte, numberOf, useSite, warningsOf } from '../support/runner-site.js'
import { describeWithAgent, startAgent, type TestAgent } from '../support/ssh-agent.js'
import { describeWithSshd, startSshd, type Sshd } from '../support/sshd.js'
import { startLink, type Link } from '../support/link.mjs'

jest.setTimeout(60_000)

describeWithAgent('a job with an SSH agent', () => {
  describeWithSshd('and sshd', () => {
    const site = useSite()
    let agent: TestAgent

    beforeAll(async () => {
      agent = await startAgent()
    })
    afterAll(() => agent.close())

    /** A server that knows only the agent's new key, and the line to it. */
    async function serve(type: string): Promise<{ sshd: Sshd; link: Link }> {
      const { publicFile } = await agent.holdOnly(type)
      const sshd = site.closeLater(await startSshd({ options: [`AuthorizedKeysFile ${publicFile}`] }))
      return { sshd, link: site.closeLater(await startLink({ port: sshd.port })) }
    }

    function inputsFor({ sshd, link }: { sshd: Sshd; link: Link }, more: Inputs = {}): Inputs {
      return site.inputs({
        port: String(link.port),
        key: '',
        'known-hosts': sshd.formatKnownHosts(link.port),
        'remote-path': sshd.root,
        ...more
      })
    }

    const environment = (): Environment => ({ SSH_AUTH_SOCK: agent.socket })

    test('uploads without a key, and a re-run continues', async () => {
      const { sshd, link } = await serve('ed25519')
      const inputs = inputsFor({ sshd, link })
      const first = await site.machine({ attempt: 1 })
      await buildArtifact(first, 24 * mebibyte)
      void link.cutAfter(12 * mebibyte).then(() => (link.refuse = true))
      const cut = await first.run(inputs, environment())
      expect(cut.main.exitCode).toBe(1)
      expect(warningsOf(cut.main, cut.post)).toEqual([])
      link.refuse = false

      const second = await site.machine({ attempt: 2 })
      const directory = await buildArtifact(second, 24 * mebibyte)
      const { main } = await second.run(inputs, environment())
      expect([errorsOf(main), warningsOf(main), main.exitCode]).toEqual([[], [], 0])
      expect(numberOf(main, 'reused-bytes')).toBeGreaterThan(mebibyte)
      expect(await sha256File(join(sshd.root, 'app.bin'))).toBe(await sha256File(join(directory, 'app.bin')))
    })

    test('whose key cannot seal a state uploads without one, and says so', async () => {
      const machine = await site.machine()
      await buildArtifact(machine, 1000)
      const { main } = await machine.run(inputsFor(await serve('ecdsa')), environment())
      expect([errorsOf(main), main.exitCode]).toEqual([[], 0])
      expect(warningsOf(main)).toEqual([expect.stringMatching(/^No state is kept.*ed25519 or RSA/)])
      expect(site.cache.entries).toEqual([])
    })

    test('asks it where its path is given, besides a key that is refused', async () => {
      const machine = await site.machine({ withCache: false })
      await buildArtifact(machine, 1000)
      const inputs = inputsFor(await serve('rsa'), {
        key: site.sshd.privateKey,
        'ssh-agent': agent.socket,
        state: 'none'
      })
      const main = await machine.runMain(inputs, { SSH_AUTH_SOCK: undefined })
      expect([errorsOf(main), main.exitCode]).toEqual([[], 0])
    })

    test('fails before any connection when it has gone', async () => {
      const machine = await site.machine({ withCache: false })
      await buildArtifact(machine, 1000)
      const gone = { SSH_AUTH_SOCK: join(machine.temp, 'gone') }
      const main = await machine.runMain(site.inputs({ key: '' }), gone)
      expect(errorsOf(main)).toEqual([
        expect.stringMatching(/^ssh-agent: must be .*nothing that answers.*gone/)
      ])
      expect([main.exitCode, site.link.connections]).toEqual([1, 0])
      expect(main.summary).toContain('ssh-agent')
    })
  })
})
