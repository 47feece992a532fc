import { expect, test } from '@jest/globals'
import { EventEmitter, once } from 'node:events'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { isSilence } from '../../../src/adapters/sftp/broken-by.js'
import { JumpStream } from '../../../src/adapters/sftp/jump-stream.js'
import type { SshError } from '../../../src/adapters/sftp/reason.js'

const ENDS = [
  { how: 'keepalives without an answer', failure: { level: 'client-timeout' }, isSilent: true },
  { how: 'a system that gave it up', failure: { level: 'client-socket', code: 'ETIMEDOUT' }, isSilent: true },
  { how: 'no way to the host any more', failure: { code: 'EHOSTUNREACH' }, isSilent: true },
  { how: 'a network that is gone, on Windows', failure: { code: 'ECONNABORTED' }, isSilent: true },
  { how: 'a reset', failure: { level: 'client-socket', code: 'ECONNRESET' }, isSilent: false },
  { how: 'a DISCONNECT', failure: { code: 2 }, isSilent: false },
  { how: 'what has no code', failure: {}, isSilent: false }
]

test.each(ENDS)('an end by $how is one in silence: $isSilent', ({ failure, isSilent }) => {
  expect(isSilence(Object.assign(new Error('it ended'), failure))).toBe(isSilent)
})

test.each(ENDS)(
  'of the connection to a jump host as well: by $how, $isSilent',
  async ({ failure, isSilent }) => {
    const client = Object.assign(new EventEmitter(), { end: () => undefined })
    const channel = new PassThrough() as unknown as ClientChannel
    const socket = new PassThrough() as unknown as Socket
    const stream = new JumpStream(channel, client as unknown as Client, socket, 'jump host bastion port 22')
    const ended = once(stream, 'error')
    client.emit('error', Object.assign(new Error('it ended'), failure))
    client.emit('close')
    const [error] = (await ended) as [SshError]
    expect(error.message).toBe('jump host bastion port 22: it ended')
    expect(isSilence(error)).toBe(isSilent)
  }
)
