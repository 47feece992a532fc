import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { coalesceRequests } from '../../../src/adapters/sftp/coalesce-requests.js'
import { openSsh2Session, type Ssh2Session } from '../../support/ssh2-session.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const KIB = 1024

describeWithSshd('requests of one turn', () => {
  let sshd: Sshd
  let directory: string
  let session: Ssh2Session

  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.close())

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'coalesce-requests-'))
    session = await openSsh2Session(sshd)
    coalesceRequests(session.sftp)
  })
  afterEach(async () => {
    session.client.end()
    await rm(directory, { recursive: true, force: true })
  })

  test('share a packet, and each gets its answer', async () => {
    const names = Array.from({ length: 50 }, (_, index) => join(directory, String(index)))
    const handles = await Promise.all(names.map(name => session.open(name)))
    expect(session.packets).toHaveLength(1)
    expect(new Set(handles.map(handle => handle.toString('hex'))).size).toBe(50)
  })

  test('wait for nothing: another turn has a packet of its own', async () => {
    await session.open(join(directory, 'one'))
    await session.open(join(directory, 'two'))
    expect(session.packets).toHaveLength(2)
  })

  test('keep their order and their bytes where they need several packets, filled to the last byte or not', async () => {
    const lengths = [1, 20 * KIB, 32 * KIB, 255 * KIB, 5, 32 * KIB - 29, 100]
    const bytes = randomBytes(lengths.reduce((sum, length) => sum + length, 0))
    const { packets } = session
    const handle = await session.open(join(directory, 'file'))
    packets.length = 0
    let offset = 0
    const answers = lengths.map(length => {
      const answer = session.write(handle, bytes.subarray(offset, offset + length), offset)
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
