import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { KeyObject } from 'node:crypto'
import { useKeyObjects } from '../../../src/adapters/sftp/gcm-keys.js'
import { openSsh2Session } from '../../support/ssh2-session.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

interface Internals {
  _protocol: { _cipher: { _encKey?: unknown }; _decipher: { _decipherKey?: unknown } }
}

describeWithSshd('keys of AES-GCM', () => {
  let sshd: Sshd

  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(() => sshd.close())

  test('are imported once, for both directions, and both still work', async () => {
    const session = await openSsh2Session(sshd, {
      algorithms: { cipher: ['aes256-gcm@openssh.com'] }
    })
    useKeyObjects(session.client)
    const { _cipher: cipher, _decipher: decipher } = (session.client as unknown as Internals)._protocol
    expect(cipher._encKey).toBeInstanceOf(KeyObject)
    expect(decipher._decipherKey).toBeInstanceOf(KeyObject)
    await session.open(`${sshd.root}/file`)
    session.client.end()
  })

  test('of other ciphers are left as they are', async () => {
    const session = await openSsh2Session(sshd, { algorithms: { cipher: ['aes128-ctr'] } })
    useKeyObjects(session.client)
    await session.open(`${sshd.root}/file`)
    session.client.end()
  })
})
