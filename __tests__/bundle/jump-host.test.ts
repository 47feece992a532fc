import { expect, jest, test } from '@jest/globals'
import { join } from 'node:path'
import { sha256File } from '../support/artifact.js'
import { startLink } from '../support/link.mjs'
import type { Inputs, PhaseResult } from '../support/runner.mjs'
import { buildArtifact, errorsOf, mebibyte, useSite, warningsOf } from '../support/runner-site.js'
import { generateKeyPair } from '../support/sftp-server.mjs'
import { describeWithSshd, startSshd, type Sshd, type SshdOptions } from '../support/sshd.js'

jest.setTimeout(60_000)

describeWithSshd('through a jump host', () => {
  const site = useSite()

  async function startJump(options: SshdOptions = {}): Promise<Sshd> {
    return site.closeLater(await startSshd(options))
  }

  /** Inputs for a jump host with a login and pinned keys of its own. */
  function through(jump: Sshd, more: Inputs = {}): Inputs {
    return site.inputs({
      'jump-host': `${jump.username}@${jump.host}:${jump.port}`,
      'jump-key': jump.privateKey,
      'jump-known-hosts': jump.knownHosts,
      state: 'none',
      ...more
    })
  }

  /** SHA-256 of what was uploaded last. */
  let sent: string

  async function upload(inputs: Inputs, size = 1000): Promise<PhaseResult> {
    const machine = await site.machine({ withCache: false })
    sent = await sha256File(join(await buildArtifact(machine, size), 'app.bin'))
    return machine.runMain(inputs)
  }

  const logins = (sshd: Sshd) => sshd.log().match(/Accepted publickey/g)?.length ?? 0

  test('uploads with a login at each, every lane over a connection of its own', async () => {
    const jump = await startJump()
    const before = logins(site.sshd)
    const result = await upload(through(jump), 40 * mebibyte)
    expect([errorsOf(result), warningsOf(result), result.exitCode]).toEqual([[], [], 0])
    expect(await sha256File(join(site.target, 'app.bin'))).toBe(sent)
    expect(logins(jump)).toBeGreaterThan(1)
    expect(logins(site.sshd) - before).toBe(logins(jump))
  })

  test('uses the login and the pinned keys of the server where the jump host has none of its own', async () => {
    const jump = await startJump({ options: [`AuthorizedKeysFile ${site.sshd.authorizedKeys}`] })
    const result = await upload(
      through(jump, {
        'jump-host': `${jump.host}:${jump.port}`,
        'jump-key': '',
        'jump-known-hosts': '',
        'known-hosts': site.sshd.formatKnownHosts(site.link.port) + jump.knownHosts
      })
    )
    expect([errorsOf(result), result.exitCode]).toEqual([[], 0])
  })

  test('does not log in to a jump host that shows another key, and not to the server either', async () => {
    const jump = await startJump()
    const before = site.link.connections
    const pinned = `[127.0.0.1]:${jump.port} ${generateKeyPair().public}`
    const result = await upload(through(jump, { 'jump-known-hosts': pinned, retries: '5' }))
    expect(errorsOf(result)).toEqual([
      expect.stringMatching(new RegExp(`^host key of \\[127\\.0\\.0\\.1\\]:${jump.port}: `))
    ])
    expect(errorsOf(result)[0]).toContain('jump-known-hosts')
    expect([logins(jump), site.link.connections]).toEqual([0, before])
  })

  test("does not log in to a server that shows another key, the jump host's included", async () => {
    const jump = await startJump()
    const before = logins(site.sshd)
    const ofJump = jump.formatKnownHosts(site.link.port)
    const result = await upload(through(jump, { 'known-hosts': ofJump, retries: '5' }))
    expect(errorsOf(result)).toEqual([
      expect.stringMatching(new RegExp(`^host key of \\[127\\.0\\.0\\.1\\]:${site.link.port}: expected`))
    ])
    expect([logins(jump), logins(site.sshd)]).toEqual([1, before])
  })

  test('says that it is the jump host that refuses the login', async () => {
    const jump = await startJump()
    const result = await upload(through(jump, { 'jump-key': generateKeyPair().private, retries: '5' }))
    expect(errorsOf(result)).toEqual([expect.stringMatching(/^connect to jump host 127\.0\.0\.1 port/)])
    expect(jump.log().match(/Failed publickey/g) ?? []).toHaveLength(1)
  })

  test('says that it is the server behind it that refuses the login', async () => {
    const jump = await startJump()
    const result = await upload(through(jump, { key: generateKeyPair().private }))
    expect(errorsOf(result)).toEqual([
      expect.stringMatching(/^connect to 127\.0\.0\.1 port \d+ through jump host 127\.0\.0\.1: .*refuses/)
    ])
  })

  test('says that the jump host forbids to connect further', async () => {
    const jump = await startJump({ options: ['AllowTcpForwarding no'] })
    const result = await upload(through(jump, { retries: '5' }))
    expect(errorsOf(result)).toEqual([
      expect.stringMatching(/^connect to jump host .*: it may not connect this user to 127\.0\.0\.1 port/)
    ])
    expect(logins(jump)).toBe(1)
  })

  test('says that nothing answers behind the jump host', async () => {
    const jump = await startJump()
    const result = await upload(through(jump, { port: '9', 'known-hosts': site.sshd.formatKnownHosts(9) }))
    expect(errorsOf(result)).toEqual([
      expect.stringMatching(/^connect to jump host .*: .*from there 127\.0\.0\.1 port 9 is not reached/)
    ])
  })

  test('goes on within the run after a cut before the jump host', async () => {
    const jump = await startJump()
    const link = site.closeLater(await startLink({ port: jump.port }))
    void link.cutAfter(12 * mebibyte)
    const result = await upload(
      through(jump, {
        'jump-host': `${jump.username}@127.0.0.1:${link.port}`,
        'jump-known-hosts': jump.formatKnownHosts(link.port),
        retries: '3'
      }),
      24 * mebibyte
    )
    expect([errorsOf(result), result.exitCode]).toEqual([[], 0])
    expect(result.log).toMatch(/The connection was lost \(.*jump host.*\)\. Retry 1 of 3/)
    expect(result.log).not.toMatch(/connections? ended/)
    expect(await sha256File(join(site.target, 'app.bin'))).toBe(sent)
  })
})
