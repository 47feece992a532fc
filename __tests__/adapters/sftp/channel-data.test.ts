import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { CipherAlgorithm, Client, ClientChannel, CompressionAlgorithm } from 'ssh2'
import { sendChannelData, type Protocol } from '../../../src/adapters/sftp/channel-data.js'
import { openSsh2Session } from '../../support/ssh2-session.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const KIB = 1024
const CIPHERS: readonly CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr'
]

describeWithSshd('data for a channel', () => {
  let sshd: Sshd
  let client: Client

  beforeAll(async () => {
    sshd = await startSshd({ options: ['RekeyLimit 1M', `Ciphers ${CIPHERS.join(',')}`] })
  })
  afterAll(() => sshd.close())
  afterEach(() => {
    client.end()
  })

  async function startCat(
    cipher: CipherAlgorithm,
    compress: CompressionAlgorithm = 'none'
  ): Promise<ClientChannel> {
    const session = await openSsh2Session(sshd, { algorithms: { cipher: [cipher], compress: [compress] } })
    client = session.client
    return new Promise((resolve, reject) => {
      client.exec('cat', (error, channel) => (error ? reject(error) : resolve(channel)))
    })
  }

  /** Sends the parts as fast as the window takes them; returns what comes back. */
  async function echo(channel: ClientChannel, packets: readonly (readonly Buffer[])[]): Promise<Buffer> {
    const { _protocol: protocol } = client as unknown as { _protocol: Protocol }
    const { outgoing } = channel as unknown as { outgoing: { id: number; window: number } }
    const received: Buffer[] = []
    channel.on('data', (bytes: Buffer) => received.push(bytes))
    for (const parts of packets) {
      const length = parts.reduce((sum, part) => sum + part.length, 0)
      while (outgoing.window < length) await new Promise(resolve => setTimeout(resolve, 1))
      outgoing.window -= length
      sendChannelData(protocol, outgoing.id, parts)
      // The packet before the next one is made of the same memory.
      for (const part of parts) part.fill(0)
    }
    channel.end()
    await once(channel, 'close')
    return Buffer.concat(received)
  }

  describe.each(CIPHERS)('enciphered with %s', cipher => {
    test('arrives, whatever the lengths of its parts', async () => {
      const channel = await startCat(cipher)
      const lengths = [
        ...Array.from({ length: 40 }, (_, length) => [length + 1]),
        [4095, 1, 4096, 4097],
        [10, 20, 30 * KIB],
        [30 * KIB, 5, 1],
        [32 * KIB]
      ]
      const packets = lengths.map(parts => parts.map(length => randomBytes(length)))
      const sent = Buffer.concat(packets.flat())
      expect((await echo(channel, packets)).equals(sent)).toBe(true)
    })

    test('arrives where keys are exchanged meanwhile', async () => {
      const channel = await startCat(cipher)
      let exchanges = 0
      client.on('handshake', () => exchanges++)
      const packets = Array.from({ length: 120 }, () => [randomBytes(20), randomBytes(32 * KIB - 20)])
      const sent = Buffer.concat(packets.flat())
      expect((await echo(channel, packets)).equals(sent)).toBe(true)
      expect(exchanges).toBeGreaterThan(1)
    })
  })

  test('arrives where the server takes only what is compressed', async () => {
    const channel = await startCat('aes128-gcm@openssh.com', 'zlib@openssh.com')
    const packets = Array.from({ length: 20 }, () => [randomBytes(20), randomBytes(30 * KIB)])
    const sent = Buffer.concat(packets.flat())
    expect((await echo(channel, packets)).equals(sent)).toBe(true)
  })

  test('is enciphered by ssh2 with other ciphers and while keys are exchanged, else where it lies', async () => {
    const {
      client: connected,
      sftp,
      packets
    } = await openSsh2Session(sshd, {
      algorithms: { cipher: ['aes128-gcm@openssh.com'] }
    })
    client = connected
    const { _protocol: protocol } = client as unknown as { _protocol: Protocol }
    const { outgoing } = sftp as unknown as { outgoing: { id: number } }
    const left: number[] = []
    const channelData = { value: (_channel: number, bytes: Buffer) => left.push(bytes.length) }
    const parts = [randomBytes(8 * KIB), randomBytes(1)]
    const send = (properties: PropertyDescriptorMap) => {
      const watched = Object.create(protocol, { channelData, ...properties }) as Protocol
      sendChannelData(watched, outgoing.id, parts)
    }
    send({})
    expect(left).toEqual([])
    expect(packets).toEqual([8 * KIB + 1])
    send({ _kexinit: { value: randomBytes(16) } })
    send({ _cipher: { value: { ...protocol._cipher, _dead: true } } })
    send({ _cipher: { value: {} } })
    send({ _cipher: { value: undefined } })
    send({ _packetRW: { value: { write: { allocStart: 0 } } } })
    send({ _packetRW: { value: undefined } })
    expect(left).toEqual(Array(6).fill(8 * KIB + 1))
    expect(packets).toHaveLength(1)
  })
})
