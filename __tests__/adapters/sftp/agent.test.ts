import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, { type ParsedKey } from 'ssh2'
import { agentSecret, openAgent } from '../../../src/adapters/sftp/agent.js'
import { connect } from '../../../src/adapters/sftp/connect.js'
import { describeWithAgent, startAgent, type TestAgent } from '../../support/ssh-agent.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { generateKeyPair, startSftpServer } from '../../support/sftp-server.mjs'

const { AgentProtocol, utils } = ssh2
const never = new AbortController().signal
const { public: publicKey } = generateKeyPair()
const key = utils.parseKey(publicKey) as ParsedKey

describeWithAgent('an SSH agent', () => {
  let agent: TestAgent
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'agent-'))
    agent = await startAgent()
  })
  afterAll(async () => {
    await agent.close()
    await rm(directory, { recursive: true })
  })

  test.each([['ed25519'], ['rsa'], ['ecdsa']])('logs in with its key: %s', async type => {
    const { publicKey, fingerprint } = await agent.holdOnly(type)
    const server = await startSftpServer({
      root: directory,
      users: [{ username: 'deploy', publicKeys: [publicKey] }]
    })
    const opened = await openAgent(agent.socket)
    expect(opened.keys.map(key => key.fingerprint)).toEqual([fingerprint])
    const remote = await connect(settingsFor(server, { password: undefined, agent: opened }), never)
    remote.close()
    await server.close()
  })

  test('logs in after the password, where the server wants both in that order', async () => {
    const { publicKey } = await agent.holdOnly('ed25519')
    const user = { username: 'deploy', password: 'secret', inOrder: ['password', 'publickey'] }
    const server = await startSftpServer({
      root: directory,
      users: [{ ...user, publicKeys: [publicKey] }]
    })
    const remote = await connect(settingsFor(server, { agent: await openAgent(agent.socket) }), never)
    remote.close()
    await server.close()
  })

  test('that is refused is named with its keys', async () => {
    const { fingerprint } = await agent.holdOnly('ed25519')
    const server = await startSftpServer({ root: directory })
    const settings = settingsFor(server, { password: undefined, agent: await openAgent(agent.socket) })
    const refused = connect(settings, never)
    await expect(refused).rejects.toMatchObject({
      code: 'login',
      message: expect.stringContaining(fingerprint)
    })
    await server.close()
  })

  test.each([['ed25519'], ['rsa']])('gives the same secret each time with %s, and no other', async type => {
    await agent.holdOnly(type)
    const [first, second] = [await openAgent(agent.socket), await openAgent(agent.socket)]
    const secret = await agentSecret(first)
    expect(secret).toEqual(expect.stringMatching(/^.{64,}$/))
    expect(await agentSecret(second)).toBe(secret)
    await agent.holdOnly(type)
    expect(await agentSecret(await openAgent(agent.socket))).not.toBe(secret)
  })

  test('gives no secret with a key whose signatures differ', async () => {
    await agent.holdOnly('ecdsa')
    expect(await agentSecret(await openAgent(agent.socket))).toBeUndefined()
  })

  test('without a key is refused, with what to do', async () => {
    await agent.holdNone()
    await expect(openAgent(agent.socket)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/^ssh-agent: must be .*found no usable key.*\n.*ssh-add/)
    })
  })
})

describe('a socket where no agent is', () => {
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'agent-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('is refused, with what to do', async () => {
    await expect(openAgent(join(directory, 'nothing'))).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/^ssh-agent: must be .*found nothing that answers/)
    })
  })

  test('that hangs up is refused', async () => {
    const socket = join(directory, 'hangs-up')
    const server = createServer(connection => connection.destroy())
    await new Promise<void>(resolve => server.listen(socket, resolve))
    await expect(openAgent(socket)).rejects.toMatchObject({ code: 'invalid-input' })
    server.close()
  })
})

describe('an agent that stays silent', () => {
  let directory: string
  let socket: string
  let agent: Server
  const connections = new Set<Socket>()

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'agent-'))
    socket = join(directory, 'silent')
    connections.clear()
  })
  afterEach(async () => {
    agent.close()
    await rm(directory, { recursive: true })
  })

  async function start(serve: (connection: Socket) => void): Promise<void> {
    agent = createServer(connection => {
      connections.add(connection)
      connection.on('close', () => connections.delete(connection))
      serve(connection)
    })
    await new Promise<void>(resolve => agent.listen(socket, resolve))
  }

  /** Lists a key, and signs nothing: somebody would have to confirm it. */
  function listOnly(connection: Socket): void {
    const protocol = new AgentProtocol(false)
    protocol.on('identities', request => protocol.getIdentitiesReply(request, [key]))
    connection.pipe(protocol).pipe(connection)
  }

  async function allClosed(): Promise<void> {
    for (const connection of connections) await once(connection, 'close')
  }

  test('is refused, and its connection ends', async () => {
    await start(connection => connection.resume())
    await expect(openAgent(socket, 50)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/found nothing that answers/)
    })
    await allClosed()
  })

  test('when it is to sign gives no secret, and its connection ends', async () => {
    await start(listOnly)
    expect(await agentSecret(await openAgent(socket), 50)).toBeUndefined()
    await allClosed()
  })

  test('in a login has until connecting is given up; then its connection ends', async () => {
    await start(listOnly)
    const server = await startSftpServer({
      root: directory,
      users: [{ username: 'deploy', publicKeys: [publicKey] }]
    })
    const opened = await openAgent(socket)
    const settings = settingsFor(server, { password: undefined, agent: opened, connectTimeoutMs: 100 })
    await expect(connect(settings, never)).rejects.toMatchObject({ code: 'unreachable' })
    await allClosed()
    await server.close()
  })
})
