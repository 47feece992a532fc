import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { KeyObject } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type AddressInfo, type Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type ServerSettings } from '../../../src/adapters/sftp/connect.js'
import { dialogues } from '../../../src/adapters/sftp/dialogue.js'
import { createHostKeyPolicy } from '../../../src/adapters/sftp/host-keys.js'
import { readPrivateKey } from '../../../src/adapters/sftp/private-key.js'
import { UploadError } from '../../../src/core/errors.js'
import type { Remote } from '../../../src/engine/ports.js'
import { startLink, type Link } from '../../support/link.mjs'
import { settingsFor } from '../../support/sftp-settings.js'
import { generateKeyPair, startSftpServer, type SftpServer } from '../../support/sftp-server.mjs'

const never = new AbortController().signal
const hasIPv6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1')
)
const testIPv6 = hasIPv6 ? test : test.skip

describe('connect', () => {
  let root: string
  let server: SftpServer
  let link: Link | undefined

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'connect-'))
    server = await startSftpServer({ root })
  })
  afterEach(async () => {
    await link?.close()
    link = undefined
    await server.close()
    await rm(root, { recursive: true })
  })

  function settingsThrough({ port }: Link, changes: Partial<ServerSettings> = {}): ServerSettings {
    const knownHosts = server.formatKnownHosts(port)
    const hostKeys = createHostKeyPolicy(
      { check: 'strict', knownHosts, fingerprints: [] },
      { host: '127.0.0.1', port }
    )
    return settingsFor(server, { port, hostKeys, ...changes })
  }

  test('tries no login on a host whose key is not pinned', async () => {
    const [type, base64] = generateKeyPair().public.split(' ')
    const knownHosts = `[127.0.0.1]:${server.port} ${type ?? ''} ${base64 ?? ''}`
    const hostKeys = createHostKeyPolicy({ check: 'strict', knownHosts, fingerprints: [] }, server)
    await expect(connect(settingsFor(server, { hostKeys }), never)).rejects.toMatchObject({
      code: 'host-key'
    })
    expect(server.logins).toEqual([])
  })

  test('tells a refused login from a lost connection', async () => {
    const wrong = connect(settingsFor(server, { password: 'wrong' }), never)
    await expect(wrong).rejects.toMatchObject({ code: 'login' })
  })

  describe('where the server wants the password before the key', () => {
    const pair = generateKeyPair()
    const key = readPrivateKey(pair.private, undefined)
    const user = { username: 'deploy', password: 'secret', inOrder: ['password', 'publickey'] }
    let strict: SftpServer

    async function logIn(publicKey: string, password = 'secret'): Promise<Remote> {
      strict = await startSftpServer({ root, users: [{ ...user, publicKeys: [publicKey] }] })
      return connect(settingsFor(strict, { key, password }), never)
    }
    afterEach(() => strict.close())

    test('logs in with both', async () => {
      const remote = await logIn(pair.public)
      expect(strict.logins).toEqual([
        { method: 'publickey', username: 'deploy', accepted: false },
        { method: 'password', username: 'deploy', accepted: true },
        { method: 'publickey', username: 'deploy', accepted: true }
      ])
      remote.close()
    })

    test('says that it is the key that is refused, where it is', async () => {
      await expect(logIn(generateKeyPair().public)).rejects.toMatchObject({
        code: 'login',
        message: expect.stringMatching(
          /accepts deploy with the password, and refuses the ssh-ed25519 key .*; it takes publickey\n.*authorized_keys/
        )
      })
    })

    test('says that it is the password that is refused, where it is', async () => {
      await expect(logIn(pair.public, 'wrong')).rejects.toMatchObject({
        code: 'login',
        message: expect.stringMatching(/refuses deploy with the ssh-ed25519 key .* and with the password/)
      })
    })
  })

  test('tells an unknown name and a closed port', async () => {
    const unknown: unknown = await connect(
      settingsFor(server, { host: 'no-such-host.invalid' }),
      never
    ).catch((error: unknown) => error)
    // Without a network not even the name server answers.
    expect(unknown).toHaveProperty('code', expect.stringMatching(/^(unknown-host|unreachable)$/))
    const { port } = server
    await server.close()
    await expect(connect(settingsFor(server, { port }), never)).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('gives up a server that accepts and stays silent', async () => {
    const silent = await listen(createServer(() => undefined))
    const { port } = silent.address() as AddressInfo
    const refused = connect(settingsFor(server, { port, connectTimeoutMs: 50 }), never)
    await expect(refused).rejects.toMatchObject({ code: 'unreachable' })
    silent.close()
  })

  test('takes a server that hangs up before it named itself for a lost connection', async () => {
    server.faults.refuseConnections = true
    await expect(connect(settingsFor(server), never)).rejects.toMatchObject({ code: 'connection-lost' })
  })

  test('names what answers in the place of SSH', async () => {
    const ftp = await listen(createServer(socket => socket.write('220 ProFTPD Server\r\n')))
    const { port } = ftp.address() as AddressInfo
    const refused = connect(settingsFor(server, { port, connectTimeoutMs: 200 }), never)
    await expect(refused).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringContaining('it answers "220 ProFTPD Server", which is not SSH')
    })
    ftp.close()
  })

  test('takes lines before the name of an SSH server as they are meant', async () => {
    const polite = await listen(
      createServer(socket => {
        const behind = createConnection(server.port, '127.0.0.1')
        socket.write('Welcome\r\n')
        socket.pipe(behind).pipe(socket)
        for (const end of [socket, behind]) end.on('error', () => undefined)
      })
    )
    const { port } = polite.address() as AddressInfo
    const remote = await connect(settingsFor(server, { port }), never)
    remote.close()
    polite.close()
  })

  testIPv6('reaches an IPv6 address', async () => {
    const six = await startSftpServer({ root, host: '::1' })
    const { port } = six
    const knownHosts = six.formatKnownHosts(port)
    const hostKeys = createHostKeyPolicy(
      { check: 'strict', knownHosts, fingerprints: [] },
      { host: '::1', port }
    )
    const remote = await connect(settingsFor(six, { hostKeys }), never)
    expect(await remote.stat('.')).toBeDefined()
    remote.close()
    await six.close()
  })

  test('reaches a server through a jump host', async () => {
    const jump = await startSftpServer({ root })
    const remote = await connect(settingsFor(server, { jump: settingsFor(jump) }), never)
    expect(await remote.stat('.')).toBeDefined()
    remote.close()
    await jump.close()
  })

  test('hands the dialogue on without the password', async () => {
    const lines: string[] = []
    const dialogueOf = dialogues(line => lines.push(line))
    const remote = await connect(settingsFor(server, { dialogueOf }), never)
    remote.close()
    expect(lines.join('\n')).toMatch(/KEX algorithm[^]*USERAUTH_REQUEST \(password\)[^]*subsystem: sftp/)
    expect(lines.join('\n')).not.toContain('secret')
  })

  test('stops connecting with the reason of the signal', async () => {
    const silent = await listen(createServer(() => undefined))
    const { port } = silent.address() as AddressInfo
    const controller = new AbortController()
    const connecting = connect(settingsFor(server, { port }), controller.signal)
    controller.abort(new UploadError('cancelled', 'stop'))
    await expect(connecting).rejects.toMatchObject({ code: 'cancelled' })
    silent.close()
  })

  test('has all its time for a login that had to wait for its turn', async () => {
    const dark = await startLink({ port: server.port })
    link = dark
    const connectTimeoutMs = 4_000
    const begunMs = performance.now()
    // Three quarters of its time are gone when its turn comes, and the line is dark for another half.
    const mayLogIn = sleep(connectTimeoutMs * 0.75).then(() => {
      dark.pause()
      void sleep(connectTimeoutMs * 0.5).then(() => dark.resume())
    })
    const remote = await connect(settingsThrough(link, { connectTimeoutMs }), never, { mayLogIn })
    expect(performance.now() - begunMs).toBeGreaterThan(connectTimeoutMs)
    remote.close()
  })

  test('waits no more when its turn comes after its time was up', async () => {
    const countTimers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    let goOn: () => void = () => undefined
    const mayLogIn = new Promise<void>(resolve => (goOn = resolve))
    const late = connect(settingsFor(server, { connectTimeoutMs: 100 }), never, { mayLogIn })
    await expect(late).rejects.toMatchObject({ code: 'unreachable' })
    const timers = countTimers()
    goOn()
    await new Promise(setImmediate)
    expect(countTimers()).toBe(timers)
  })

  test('ends a session that the server leaves without an answer', async () => {
    const remote = await connect(settingsFor(server, { stallTimeoutMs: 200 }), never)
    const file = await remote.create('file', undefined)
    server.faults.silentAfterBytes = 0
    await expect(file.write(Buffer.from('x'), 0)).rejects.toMatchObject({ code: 'stalled' })
    expect(await remote.ended).toMatchObject({ code: 'stalled' })
  })

  test('knows how long the server takes to answer, before the first answer and after it', async () => {
    link = await startLink({ port: server.port })
    link.delayMs = 100
    const begunMs = performance.now()
    const remote = await connect(settingsThrough(link, { connectTimeoutMs: 60_000 }), never)
    // The link takes the connection itself, at once; the login after it takes many round trips.
    const loginMs = performance.now() - begunMs
    expect(remote.roundTripMs).toBeGreaterThan(0)
    expect(remote.roundTripMs).toBeLessThan(loginMs / 6)
    await remote.stat('.')
    expect(remote.roundTripMs).toBeGreaterThan(198)
    const answeredMs = remote.roundTripMs
    link.delayMs = answeredMs
    await remote.stat('.')
    expect(remote.roundTripMs).toBe(answeredMs)
    remote.close()
  })

  test('notices a dark network by its keepalives', async () => {
    link = await startLink({ port: server.port })
    const remote = await connect(settingsThrough(link, { keepaliveIntervalMs: 50 }), never)
    link.pause()
    expect(await remote.ended).toMatchObject({ code: 'stalled' })
  })

  test.each([
    { isDark: true, code: 'stalled' },
    { isDark: false, code: 'connection-lost' }
  ])('closed with a request in flight it knows a dark line: $isDark', async ({ isDark, code }) => {
    link = await startLink({ port: server.port })
    const remote = await connect(settingsThrough(link), never)
    if (isDark) link.pause()
    const asked = remote.stat('.').catch((error: unknown) => error)
    if (isDark) await sleep(1000)
    remote.close()
    await asked
    expect(await remote.ended).toMatchObject({ code })
  })

  test('takes no slow line for a dark one, though its keepalives wait behind writes', async () => {
    link = await startLink({ port: server.port })
    const keepaliveIntervalMs = 100
    const remote = await connect(settingsThrough(link, { keepaliveIntervalMs }), never)
    const file = await remote.create('file', undefined)
    const [writes, length] = [200, 2048]
    link.bytesPerSecond = 400 * 1024
    const begunMs = performance.now()
    await Promise.all(
      Array.from({ length: writes }, (_, index) => file.write(Buffer.alloc(length, index), index * length))
    )
    expect(performance.now() - begunMs).toBeGreaterThan(6 * keepaliveIntervalMs)
    expect(server.stats.bytesWritten).toBe(writes * length)
    remote.close()
  })

  test('sends chunks of a length that is legal everywhere to a server that tells no limits', async () => {
    const named = await startSftpServer({ root, ident: 'OpenSSH_9.2p1' })
    const remote = await connect(settingsFor(named), never)
    expect(remote.chunkSize).toBe(31_744)
    remote.close()
    await named.close()
  })

  test('lowers the chunk size as it is told', async () => {
    const remote = await connect(settingsFor(server, { chunkSize: 4096 }), never)
    expect(remote.chunkSize).toBe(4096)
    remote.close()
  })

  test("gives ssh2's cipher its key as a KeyObject", async () => {
    const remote = await connect(settingsFor(server), never)
    expect(remote).toHaveProperty('client._protocol._cipher._encSSLName', 'aes-128-gcm')
    expect(remote).toHaveProperty('client._protocol._cipher._encKey', expect.any(KeyObject))
    remote.close()
  })
})

function listen(silent: Server): Promise<Server> {
  return new Promise(resolve => silent.listen(0, '127.0.0.1', () => resolve(silent)))
}
