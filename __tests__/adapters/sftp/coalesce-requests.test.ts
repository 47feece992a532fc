import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type SFTPWrapper } from 'ssh2'
import { coalesceRequests } from '../../../src/adapters/sftp/coalesce-requests.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const KIB = 1024

describeWithSshd('requests of one turn', () => {
  let sshd: Sshd
  let directory: string
  let client: Client
  let sftp: SFTPWrapper
  let packets: number[]

  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.close())

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'coalesce-requests-'))
    packets = []
    client = new Client()
    const { host, port, username, privateKey } = sshd
    const debug = (line: string) => {
      const [, length] = /Sending CHANNEL_DATA \(r:\d+, (\d+)\)/.exec(line) ?? []
      if (length !== undefined) packets.push(Number(length))
    }
    client.connect({ host, port, username, privateKey, debug })
    await new Promise<void>((resolve, reject) => client.on('ready', resolve).on('error', reject))
    sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      client.sftp((error, opened) => (error ? reject(error) : resolve(opened)))
    })
    coalesceRequests(sftp)
    packets.length = 0
  })
  afterEach(async () => {
    client.end()
    await rm(directory, { recursive: true, force: true })
  })

  function open(name: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      sftp.open(join(directory, name), 'w', (error, handle) => (error ? reject(error) : resolve(handle)))
    })
  }

  function write(handle: Buffer, bytes: Buffer, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      sftp.write(handle, bytes, 0, bytes.length, offset, error => (error ? reject(error) : resolve()))
    })
  }

  test('share a packet, and each gets its answer', async () => {
    const handles = await Promise.all(Array.from({ length: 50 }, (_, index) => open(String(index))))
    expect(packets).toHaveLength(1)
    expect(new Set(handles.map(handle => handle.toString('hex'))).size).toBe(50)
  })

  test('wait for nothing: another turn has a packet of its own', async () => {
    await open('one')
    await open('two')
    expect(packets).toHaveLength(2)
  })

  test('keep their order and their bytes where they need several packets, filled to the last byte or not', async () => {
    const lengths = [1, 20 * KIB, 32 * KIB, 255 * KIB, 5, 32 * KIB - 29, 100]
    const bytes = randomBytes(lengths.reduce((sum, length) => sum + length, 0))
    const handle = await open('file')
    packets.length = 0
    let offset = 0
    const answers = lengths.map(length => {
      const answer = write(handle, bytes.subarray(offset, offset + length), offset)
      offset += length
      return answer
    })
    await Promise.all(answers)
    expect((await readFile(join(directory, 'file'))).equals(bytes)).toBe(true)
    expect(Math.max(...packets)).toBe(32 * KIB)
    // Each request would have at least one of its own, and one of 255 KiB has eight.
    expect(packets.length).toBeLessThanOrEqual(14)
  })
})
