import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SFTPWrapper } from 'ssh2'
import { coalesceRequests } from '../../../src/adapters/sftp/coalesce-requests.js'
import { spareCopies } from '../../../src/adapters/sftp/spare-copies.js'
import { openSsh2Session, type Ssh2Session } from '../../support/ssh2-session.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const KIB = 1024
const GIB = 1024 * KIB * KIB

interface Internals {
  _protocol: { channelData: (channel: number, bytes: Buffer) => void }
  outgoing: { window: number }
}

describeWithSshd('a long write', () => {
  let sshd: Sshd
  let directory: string
  let path: string
  let session: Ssh2Session
  /** What was handed over to be sent, as it lay in memory. */
  let handedOver: Buffer[]

  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.close())

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'spare-copies-'))
    path = join(directory, 'file')
    session = await openSsh2Session(sshd)
    handedOver = []
    const { sftp } = session
    const flush = coalesceRequests(sftp)
    const internals = sftp as unknown as Internals
    const { _protocol: protocol } = internals
    internals._protocol = Object.create(protocol, {
      channelData: {
        value: (channel: number, bytes: Buffer) => {
          handedOver.push(bytes)
          protocol.channelData(channel, bytes)
        }
      }
    }) as typeof protocol
    if (flush !== undefined) spareCopies(sftp, flush)
  })
  afterEach(async () => {
    session.client.end()
    await rm(directory, { recursive: true, force: true })
  })

  const isFrom = (bytes: Buffer) => (part: Buffer) => part.buffer === bytes.buffer

  test('is sent from where its bytes lie', async () => {
    const bytes = randomBytes(255 * KIB)
    const handle = await session.open(path)
    await session.write(handle, bytes, 0)
    const parts = handedOver.filter(isFrom(bytes))
    expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe(bytes.length)
    expect((await readFile(path)).equals(bytes)).toBe(true)
  })

  test('leaves its memory free for the next one when the call returns, whatever the window takes', async () => {
    const chunks = Array.from({ length: 100 }, () => randomBytes(100 * KIB))
    const handle = await session.open(path)
    const memory = Buffer.alloc(100 * KIB)
    const answers = chunks.map((chunk, index) => {
      chunk.copy(memory)
      return session.write(handle, memory, index * memory.length)
    })
    memory.fill(0)
    await Promise.all(answers)
    expect((await readFile(path)).equals(Buffer.concat(chunks))).toBe(true)
    // The window is 2 MiB: what it does not take is copied.
    const spared = handedOver.filter(isFrom(memory)).reduce((sum, { length }) => sum + length, 0)
    expect(spared).toBeGreaterThan(memory.length)
    expect(spared).toBeLessThan(100 * memory.length)
  })

  test('that takes the window to its last byte leaves none, and the next one waits for more', async () => {
    const handle = await session.open(path)
    const { outgoing } = session.sftp as unknown as Internals
    const head = 25 + handle.length
    const chunks: Buffer[] = []
    let left = outgoing.window
    while (left > 0) {
      const length = left > 512 * KIB ? 200 * KIB : left > 255 * KIB ? 128 * KIB : left - head
      chunks.push(randomBytes(length))
      left -= length + head
    }
    const next = randomBytes(64 * KIB)
    let offset = 0
    const answers = [...chunks, next].map((chunk, index) => {
      if (index === chunks.length) expect(outgoing.window).toBe(0)
      const answer = session.write(handle, chunk, offset)
      offset += chunk.length
      return answer
    })
    await Promise.all(answers)
    expect(handedOver.filter(isFrom(next))).toEqual([])
    expect((await readFile(path)).equals(Buffer.concat([...chunks, next]))).toBe(true)
  })

  test('keeps its place among other requests', async () => {
    const lengths = [5, 100 * KIB, 20, 16 * KIB, 40 * KIB, 3, 33 * KIB]
    const bytes = randomBytes(lengths.reduce((sum, length) => sum + length, 0))
    const handle = await session.open(path)
    // Each writes more than is its own, which only the one after it corrects.
    let offset = 0
    const answers = lengths.map(length => {
      const answer = session.write(
        handle,
        Buffer.concat([bytes.subarray(offset, offset + length), Buffer.alloc(9)]),
        offset
      )
      offset += length
      return answer
    })
    await Promise.all(answers)
    expect((await readFile(path)).equals(Buffer.concat([bytes, Buffer.alloc(9)]))).toBe(true)
  })

  test('goes to its place beyond 4 GiB', async () => {
    const bytes = randomBytes(32 * KIB)
    const handle = await session.open(path)
    await session.write(handle, bytes, 5 * GIB + 7)
    expect((await stat(path)).size).toBe(5 * GIB + 7 + bytes.length)
    const file = await open(path)
    const { buffer } = await file.read(Buffer.alloc(bytes.length), 0, bytes.length, 5 * GIB + 7)
    await file.close()
    expect(buffer.equals(bytes)).toBe(true)
  })

  test('that is refused says so', async () => {
    await session.open(path)
    await expect(session.write(Buffer.from('none'), randomBytes(32 * KIB), 0)).rejects.toThrow()
  })

  test('is left to ssh2 where that looks different', () => {
    const write = () => undefined
    const sftp = { write, outgoing: { window: 0 } }
    spareCopies(sftp as unknown as SFTPWrapper, () => undefined)
    expect(sftp.write).toBe(write)
  })
})
