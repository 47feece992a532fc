import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { Client, type SFTPWrapper } from 'ssh2'
import { connect } from '../../../src/adapters/sftp/connect.js'
import { saveRoundTrips } from '../../../src/adapters/sftp/save-round-trips.js'
import { settingsForSshd } from '../../support/sftp-settings.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

/** What passes, in order, until the first SFTP request is answered. */
async function messages({ host, port, username, privateKey }: Sshd): Promise<string[]> {
  const seen: string[] = []
  const client = new Client()
  client.connect({
    host,
    port,
    username,
    privateKey,
    authHandler: ['publickey'],
    debug: line => seen.push(line)
  })
  saveRoundTrips(client)
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject)
    client.on('ready', () => resolve())
  })
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, opened) => (error ? reject(error) : resolve(opened)))
  })
  seen.push('ready for requests')
  await new Promise(resolve => sftp.stat('.', resolve))
  client.end()
  return seen
}

describeWithSshd('a login to OpenSSH', () => {
  let sshd: Sshd
  let seen: string[]
  const at = (text: string) => seen.findIndex(line => line.includes(text))

  beforeAll(async () => {
    sshd = await startSshd()
    seen = await messages(sshd)
  })
  afterAll(() => sshd.close())

  test('does not wait for the service that it asked for', () => {
    expect(at('Received EXT_INFO')).toBeGreaterThan(0)
    expect(at('Sending USERAUTH_REQUEST')).toBeLessThan(at('Received SERVICE_ACCEPT'))
    expect(seen.filter(line => line.includes('Sending USERAUTH_REQUEST'))).toHaveLength(1)
  })

  test('does not ask whether the key would do', () => {
    expect(at('publickey -- check')).toBe(-1)
    expect(at('Received USERAUTH_SUCCESS')).toBeGreaterThan(0)
  })

  test('asks for no proof of other host keys', () => {
    expect(at('hostkeys-prove')).toBe(-1)
  })

  test('can make requests before the limits of the server are there', () => {
    expect(at('ready for requests')).toBeGreaterThan(at('Received VERSION'))
    expect(at('ready for requests')).toBeLessThan(at('Received EXTENDED_REPLY'))
  })

  test('sends longer chunks once the limits are there', async () => {
    const remote = await connect(settingsForSshd(sshd), new AbortController().signal)
    const before = remote.chunkSize
    await remote.stat('.')
    expect(before).toBe(31_744)
    expect(remote.chunkSize).toBe(261_120)
    remote.close()
  })

  test('is refused when the key is', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'pkcs1', format: 'pem' }
    })
    const refused = messages({ ...sshd, privateKey })
    await expect(refused).rejects.toThrow('All configured authentication methods failed')
  })
})

test.each([{}, { _protocol: { _handlers: {}, authPK: () => undefined } }])(
  'leaves alone what looks different: %j',
  client => {
    expect(() => saveRoundTrips(client as unknown as Client)).not.toThrow()
  }
)
