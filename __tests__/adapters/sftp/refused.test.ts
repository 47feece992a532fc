import { afterEach, expect, test } from '@jest/globals'
import { connect, type ServerSettings } from '../../../src/adapters/sftp/connect.js'
import { UploadError } from '../../../src/core/errors.js'
import { settingsForSshd } from '../../support/sftp-settings.js'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const never = new AbortController().signal

describeWithSshd('sshd that does not let a login come to files', () => {
  let sshd: Sshd | undefined

  afterEach(() => sshd?.close())

  async function failure(options: string[], changes: Partial<ServerSettings> = {}): Promise<UploadError> {
    sshd = await startSshd({ options })
    try {
      const remote = await connect(settingsForSshd(sshd, changes), never)
      remote.close()
    } catch (error) {
      if (error instanceof UploadError) return error
      throw error
    }
    throw new Error('it connected')
  }

  test.each<[string, string[], RegExp]>([
    ['a shell that prints', ['ForceCommand echo hello hello hello'], /gets text where SFTP should begin/],
    ['a program that ends', ['ForceCommand /bin/false'], /SFTP does not start/],
    ['no session', ['MaxSessions 0'], /opens no session/],
    ['old algorithms', ['KexAlgorithms diffie-hellman-group14-sha1'], /no matching key exchange/],
    ['old ciphers', ['Ciphers aes128-cbc'], /no matching C->S cipher/]
  ])('because of %s: permanent, and says so', async (_name, options, seen) => {
    const error = await failure(options)
    expect(error.code).toBe('protocol')
    expect(error.message.split('\n')[0]).toMatch(seen)
  })

  test('because it asks for two proofs: says what it wants besides', async () => {
    const error = await failure(['PasswordAuthentication yes', 'AuthenticationMethods publickey,password'])
    expect(error).toHaveProperty('code', 'login')
    expect(error.message).toMatch(/accepts .* with the ssh-ed25519 key .*wants another.*it takes password/)
  })

  test('because it takes too many tries for an attack: permanent', async () => {
    const error = await failure(['MaxAuthTries 1', 'AuthorizedKeysFile none', 'PasswordAuthentication yes'], {
      password: 'wrong'
    })
    expect(error).toHaveProperty('code', 'login')
    expect(error.message).toMatch(
      /the server ended the login after too many tries, with the ssh-ed25519 key .*\n.*MaxAuthTries/
    )
  })

  test.each<[string, string[]]>([
    ['SHA-1 in the key exchange', ['KexAlgorithms diffie-hellman-group14-sha1']],
    ['CBC ciphers', ['Ciphers aes128-cbc', 'MACs hmac-sha1']]
  ])('is reached with legacy algorithms: %s', async (_name, options) => {
    sshd = await startSshd({ options })
    const remote = await connect(settingsForSshd(sshd, { legacyAlgorithms: true }), never)
    expect(await remote.stat('.')).toBeDefined()
    remote.close()
  })
})
