import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../../src/adapters/sftp/connect.js'
import { createHostKeyPolicy } from '../../../src/adapters/sftp/host-keys.js'
import type { Remote } from '../../../src/engine/ports.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpServer } from '../../support/sftp-server.mjs'

const WRITES = 30
const LENGTH = 30_000

let root: string
let server: SftpServer
/** On the way to the server; what it is told of the connection's end. */
let door: Server
let accepted: Socket
let remote: Remote
let bytesCome = 0

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'given-up-'))
  server = await startSftpServer({ root })
  door = createServer(socket => {
    accepted = socket
    const onward = connectTcp(server.port, server.host)
    onward.on('error', () => undefined)
    onward.on('data', bytes => socket.write(bytes))
    socket.on('data', bytes => {
      bytesCome += bytes.length
      onward.write(bytes)
    })
    socket.on('close', () => onward.destroy())
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const { port } = door.address() as AddressInfo
  const hostKeys = createHostKeyPolicy(
    { check: 'strict', knownHosts: server.formatKnownHosts(port), fingerprints: [] },
    { host: server.host, port }
  )
  remote = await connect(
    settingsFor(server, { port, hostKeys, stallTimeoutMs: 400 }),
    new AbortController().signal
  )
})

afterEach(async () => {
  accepted.destroy()
  door.close()
  await server.close()
  await rm(root, { recursive: true })
})

/** Writes that the door holds back. */
async function writeInTheDark(): Promise<void> {
  const file = await remote.create('file', undefined)
  accepted.pause()
  bytesCome = 0
  for (let index = 0; index < WRITES; index++)
    file.write(Buffer.alloc(LENGTH, index), index * LENGTH).catch(() => undefined)
}

/** Whether the connection ends in order, when the door listens again to what is still on its way. */
function endsInOrder(): Promise<boolean> {
  return new Promise(resolve => {
    accepted.once('error', () => resolve(false))
    accepted.once('close', hadError => resolve(!hadError))
    accepted.resume()
  })
}

test.each([
  ['closed with writes in flight', () => remote.close()],
  ['silent for too long', () => undefined]
])('a session that is %s takes back what the system has not delivered', async (_why, end) => {
  await writeInTheDark()
  await sleep(100)
  end()
  await remote.ended
  await sleep(300)
  await endsInOrder()
  expect(bytesCome).toBeLessThan(WRITES * LENGTH)
})

test('a session with nothing in flight says goodbye', async () => {
  await remote.stat('file')
  const ended = endsInOrder()
  remote.close()
  expect(await ended).toBe(true)
})
