import { describe, expect, test } from '@jest/globals'
import { actionIn, readSettings } from '../../src/run/inputs.js'
import { secretsOf } from '../../src/run/settings.js'
import { UploadError } from '../../src/core/errors.js'
import { inputsOf } from '../action/action-yml.js'

const REQUIRED = { host: 'example.com', username: 'deploy', key: 'a key', paths: 'dist' }

function read(given: Readonly<Record<string, string>>) {
  return readSettings(inputsOf({ ...REQUIRED, ...given }))
}

function refusal(given: Readonly<Record<string, string>>): UploadError {
  try {
    read(given)
  } catch (error) {
    if (error instanceof UploadError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('an input is read as', () => {
  test.each([
    ['host', ' example.com ', { server: { host: 'example.com' } }],
    ['host', '2001:db8::1', { server: { host: '2001:db8::1' } }],
    ['host', '[2001:db8::1]', { server: { host: '2001:db8::1' } }],
    ['port', ' 2222 ', { server: { port: 2222 } }],
    ['username', 'deploy@example.com', { server: { username: 'deploy@example.com' } }],
    ['password', ' blanks count \n', { server: { password: ' blanks count ' } }],
    ['passphrase', '', { server: { passphrase: undefined } }],
    [
      'host-key-fingerprint',
      'SHA256:a\r\n\n  SHA256:b ',
      { server: { hostKeys: { fingerprints: ['SHA256:a', 'SHA256:b'] } } }
    ],
    ['host-key-check', 'off', { server: { hostKeys: { check: 'off' } } }],
    ['jump-host', '', { server: { jump: undefined } }],
    ['jump-host', 'me@bastion:2222', { server: { jump: { username: 'me', host: 'bastion', port: 2222 } } }],
    ['jump-host', ' bastion ', { server: { jump: { username: 'deploy', host: 'bastion', port: 22 } } }],
    ['jump-host', 'me@[::1]:22', { server: { jump: { username: 'me', host: '::1', port: 22 } } }],
    ['jump-host', 'me@[2001:db8::1]', { server: { jump: { host: '2001:db8::1', port: 22 } } }],
    ['jump-host', 'me@2001:db8::1', { server: { jump: { host: '2001:db8::1', port: 22 } } }],
    ['jump-host', 'me@corp.example@bastion', { server: { jump: { username: 'me@corp.example' } } }],
    ['legacy-algorithms', 'true', { server: { legacyAlgorithms: true } }],
    ['ssh-agent', '/run/agent', { server: { agent: '/run/agent' } }],
    ['ssh-agent', 'off', { server: { agent: undefined } }],
    ['keepalive-interval', '0', { server: { keepaliveIntervalMs: 0 } }],
    ['stall-timeout', '3600', { server: { stallTimeoutMs: 3_600_000 } }],
    ['paths', 'a\n\n# b\nc', { selection: { paths: ['a', '', '# b', 'c'] } }],
    ['include-hidden-files', 'True', { selection: { includeHiddenFiles: true } }],
    ['follow-symlinks', 'FALSE', { selection: { followSymlinks: false } }],
    ['if-no-files-found', 'ignore', { selection: { ifNoFilesFound: 'ignore' } }],
    ['remote-path', '/srv/www', { target: { remotePath: '/srv/www' } }],
    ['remote-path', '../www', { target: { remotePath: '../www' } }],
    ['remote-path', '~', { target: { remotePath: '.' } }],
    ['remote-path', '~/', { target: { remotePath: '.' } }],
    ['remote-path', '~/www', { target: { remotePath: 'www' } }],
    ['remote-path', '~//etc', { target: { remotePath: 'etc' } }],
    ['remote-path', './~www', { target: { remotePath: './~www' } }],
    ['file-mode', '644', { target: { fileMode: 0o644 } }],
    ['file-mode', '0644', { target: { fileMode: 0o644 } }],
    ['file-mode', '0o644', { target: { fileMode: 0o644 } }],
    ['file-mode', '7777', { target: { fileMode: 0o7777 } }],
    ['dir-mode', '2775', { target: { dirMode: 0o2775 } }],
    ['verify', 'full', { transfer: { verify: 'full' } }],
    ['chunk-size', '1024', { transfer: { chunkSize: 1024 } }],
    ['chunk-size', '261120', { transfer: { chunkSize: 261_120 } }],
    ['connections', '16', { transfer: { connections: 16 } }],
    ['checksum-file', 'meta/SHA256SUMS', { target: { checksumFile: 'meta/SHA256SUMS' } }],
    ['publish', 'together', { target: { publish: 'together' } }],
    ['retries', '0', { transfer: { retries: 0 } }],
    ['ignore-file', 'deploy/ignore', { selection: { ignoreFile: 'deploy/ignore' } }],
    ['ignore-file', '', { selection: { ignoreFile: undefined } }],
    ['shard', '2/5', { selection: { shard: { index: 2, count: 5 } } }],
    ['shard', ' 1 / 1 ', { selection: { shard: { index: 1, count: 1 } } }],
    ['shard', '256/256', { selection: { shard: { index: 256, count: 256 } } }],
    ['shard', '', { selection: { shard: undefined } }],
    ['delete', 'false', { deletion: undefined }],
    ['dry-run', 'true', { isDryRun: true }],
    ['state', 'none', { state: { store: 'none' } }],
    ['state', 'server', { state: { store: 'server' } }],
    ['state-key', ' nightly, "x" ', { state: { key: 'nightly, "x"' } }],
    ['checkpoint-interval', '0', { state: { checkpointIntervalMs: 0 } }]
  ])('%s: %j', (name, text, expected) => {
    expect(read({ [name]: text })).toMatchObject(expected)
  })
})

describe('an input is refused with its name and what was found', () => {
  test.each([
    ['host', 'sftp://example.com'],
    ['host', 'deploy@example.com'],
    ['host', 'example.com/www'],
    ['host', 'example.com:22'],
    ['host', '[2001:db8::1]:22'],
    ['host', 'exa mple.com'],
    ['port', '0'],
    ['port', '65536'],
    ['username', 'a\nb'],
    ['connections', '1e3'],
    ['connections', '0x10'],
    ['connections', '1.5'],
    ['connections', '-1'],
    ['connections', '+4'],
    ['connections', '0'],
    ['connections', '17'],
    ['retries', '101'],
    ['connect-timeout', '0'],
    ['connect-timeout', '601'],
    ['stall-timeout', '0'],
    ['keepalive-interval', '30s'],
    ['checkpoint-interval', '3601'],
    ['chunk-size', '1023'],
    ['chunk-size', '261121'],
    ['chunk-size', '32KiB'],
    ['follow-symlinks', 'yes'],
    ['preserve-mtime', 'tRUE'],
    ['file-mode', '888'],
    ['file-mode', '10644'],
    ['dir-mode', 'rwxr-xr-x'],
    ['verify', 'Size'],
    ['ignore-file', 'a\nb'],
    ['shard', '0/5'],
    ['shard', '6/5'],
    ['shard', '2'],
    ['shard', '2/'],
    ['shard', '-1/5'],
    ['shard', '1.5/5'],
    ['shard', '1/257'],
    ['shard', '0/0'],
    ['delete', 'yes'],
    ['delete-limit', '1000001'],
    ['delete-limit', '10%'],
    ['dry-run', '1'],
    ['publish', 'all'],
    ['checksum-file', '/SHA256SUMS'],
    ['checksum-file', '../SHA256SUMS'],
    ['checksum-file', 'sums/'],
    ['checksum-file', '.'],
    ['checksum-file', 'a\\b'],
    ['state', 'disk'],
    ['host-key-check', 'no'],
    ['ssh-agent', '/run/\nagent'],
    ['legacy-algorithms', '1'],
    ['jump-host', 'ssh://bastion'],
    ['jump-host', 'me@bastion:0'],
    ['jump-host', 'me@bastion:'],
    ['jump-host', '@bastion'],
    ['jump-host', 'me@'],
    ['jump-host', 'me@[::1'],
    ['jump-host', 'one,two'],
    ['jump-host', 'me@a\nb'],
    ['remote-path', '~other/www'],
    ['remote-path', 'a\nb'],
    ['remote-path', 'a\0b']
  ])('%s: %j', (name, text) => {
    const { code, message } = refusal({ [name]: text })
    expect(code).toBe('invalid-input')
    expect(message).toMatch(new RegExp(`^${name}: must be .*; found "`))
    expect(message).not.toContain('\n')
  })

  test.each(['host', 'username', 'paths', 'remote-path', 'connections', 'verify'])('%s: nothing', name => {
    expect(refusal({ [name]: '' }).message).toMatch(new RegExp(`^${name}: must be .*; found nothing$`))
  })
})

test('a shard is refused with its bounds', () => {
  expect(refusal({ shard: '6/5' }).message).toBe(
    'shard: must be I/N with 1 ≤ I ≤ N ≤ 256, such as 2/5, or nothing; found "6/5"'
  )
})

describe('delete', () => {
  test.each(['www', '/srv/www', './www/', '~/www'])('goes with remote-path %j, and has a limit', path => {
    expect(read({ delete: 'true', 'remote-path': path }).deletion).toEqual({ limit: 100 })
    expect(read({ delete: 'true', 'remote-path': path, 'delete-limit': '7' }).deletion).toEqual({ limit: 7 })
  })

  test.each(['/', '//', '/.', '.', './', '~', '~/', '..', '../www', '/srv/../etc', 'www/..'])(
    'does not go with remote-path %j',
    path => {
      const { code, message } = refusal({ delete: 'true', 'remote-path': path })
      expect(code).toBe('invalid-input')
      expect(message).toMatch(/^delete: must go with a remote-path that .*; found remote-path ".*"$/)
      expect(read({ 'remote-path': path }).deletion).toBeUndefined()
    }
  )

  test('does not go with shard', () => {
    const { message } = refusal({ delete: 'true', 'remote-path': 'www', shard: '2/5' })
    expect(message).toMatch(/^delete: must not go with shard, .*; found shard "2\/5"$/)
  })
})

test('a list of checksums does not go with shard', () => {
  const { message } = refusal({ 'checksum-file': 'SHA256SUMS', shard: '2/5' })
  expect(message).toMatch(/^checksum-file: must not go with shard, .*; found shard "2\/5"$/)
})

test('numbers name their unit', () => {
  expect(refusal({ 'stall-timeout': 'soon' }).message).toContain('seconds')
  expect(refusal({ 'chunk-size': 'large' }).message).toContain('bytes')
})

test('all wrong inputs are reported at once, a line each', () => {
  const { message } = refusal({ host: '', port: 'x', verify: 'y', key: '' })
  expect(message.split('\n').map(line => line.split(':')[0])).toEqual([
    'host',
    'port',
    'verify',
    'key, password'
  ])
})

test('a password takes the place of a key', () => {
  expect(read({ key: '', password: 'secret' }).server).toMatchObject({ key: undefined, password: 'secret' })
})

describe('a jump host', () => {
  const MAIN = { key: 'a key', passphrase: 'a phrase', password: 'a word', 'known-hosts': 'a line' }
  const jump = (given: Readonly<Record<string, string>>) =>
    read({ ...MAIN, 'jump-host': 'me@bastion', ...given }).server.jump

  test('has the login and the pinned keys of the server where it has none of its own', () => {
    expect(jump({})).toMatchObject({
      key: 'a key',
      passphrase: 'a phrase',
      password: 'a word',
      hostKeys: { check: 'strict', knownHosts: 'a line', fingerprints: [] }
    })
  })

  test("with a key of its own is not shown the server's password", () => {
    expect(jump({ 'jump-key': 'another' })).toMatchObject({
      key: 'another',
      passphrase: 'a phrase',
      password: undefined
    })
  })

  test("with a password of its own is not tried with the server's key", () => {
    expect(jump({ 'jump-password': 'another' })).toMatchObject({ key: undefined, password: 'another' })
  })

  test('has a passphrase of its own', () => {
    expect(jump({ 'jump-key': 'another', 'jump-passphrase': 'secret' })).toMatchObject({
      passphrase: 'secret'
    })
  })

  test.each([
    [{ 'jump-known-hosts': 'its line' }, { knownHosts: 'its line', fingerprints: [] }],
    [{ 'jump-host-key-fingerprint': 'SHA256:a' }, { knownHosts: '', fingerprints: ['SHA256:a'] }]
  ])("with pinned keys of its own is not known by the server's: %j", (given, hostKeys) => {
    expect(jump(given)?.hostKeys).toEqual({ check: 'strict', ...hostKeys })
  })

  test('is asked for where something is given for it', () => {
    expect(refusal({ 'jump-key': 'a', 'jump-password': 'b' }).message).toBe(
      'jump-host: must be given with jump-key, jump-password; found nothing'
    )
  })
})

describe('the agent of the job', () => {
  const sock = { SSH_AUTH_SOCK: '/run/agent' }
  const agentOf = (given: Readonly<Record<string, string>>, environment = sock) =>
    readSettings(inputsOf({ ...REQUIRED, ...given }), actionIn(environment)).server.agent

  test('takes the place of key and password', () => {
    expect(agentOf({ key: '' })).toBe('/run/agent')
  })

  test.each([
    ['a key', { key: 'a key' }],
    ['a password', { key: '', password: 'a word' }]
  ])('is not asked where there is %s', (_, given) => {
    expect(agentOf(given)).toBeUndefined()
  })

  test('is asked besides a key when its path is given', () => {
    expect(agentOf({ 'ssh-agent': '/run/other' })).toBe('/run/other')
  })

  test.each([
    ['there is none', { SSH_AUTH_SOCK: '' }, {}],
    ['it is off', sock, { 'ssh-agent': 'off' }]
  ])('a key or password must be given when %s', (_, environment, given) => {
    expect(() => agentOf({ key: '', ...given }, environment)).toThrow(/^key, password: at least one must be/)
  })
})

test('a secret is never in an error', () => {
  const { message } = refusal({ key: 'the-key', password: 'the-word', passphrase: 'the-phrase', port: '' })
  expect(message).not.toMatch(/the-/)
})

describe('the values to mask', () => {
  const KEY = '-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\nabcdefghijkl\nab==\n-----END KEY-----'

  test('are the lines of the key that tell something', () => {
    const secrets = secretsOf(read({ key: KEY }))
    expect(secrets).toEqual(expect.arrayContaining(['AAAAB3NzaC1yc2E', 'abcdefghijkl']))
    expect(secrets).not.toContain('ab==')
  })

  test('are the key in one line, too', () => {
    const inOneLine = KEY.replaceAll('\n', '\\n')
    expect(secretsOf(read({ key: KEY }))).toContain(inOneLine)
    expect(secretsOf(read({ key: inOneLine }))).toEqual(
      expect.arrayContaining([inOneLine, 'AAAAB3NzaC1yc2E'])
    )
  })

  test('are password and passphrase, however short', () => {
    expect(secretsOf(read({ password: 'pw', passphrase: 'p\nq' }))).toEqual(
      expect.arrayContaining(['pw', 'p\nq', 'p\\nq'])
    )
  })

  test('are those of the jump host, too', () => {
    const given = { 'jump-host': 'bastion', 'jump-key': KEY, 'jump-password': 'pw', 'jump-passphrase': 'pp' }
    expect(secretsOf(read(given))).toEqual(expect.arrayContaining(['AAAAB3NzaC1yc2E', 'pw', 'pp']))
  })

  test('are never empty', () => {
    expect(secretsOf(read({ key: '', password: 'pw' }))).toEqual(['pw'])
  })
})

test('blanks and line breaks around an input change nothing, but for blanks around a password', () => {
  const given = { ...REQUIRED, 'jump-host': 'bastion', 'jump-key': 'another key', 'state-key': 'docs' }
  const inputs = inputsOf(given)
  const spaced = readSettings(name => {
    const text = inputs(name)
    return text === '' || /^(?:jump-)?(?:key|passphrase|password)$/.test(name) ? text : ` \n${text}\n `
  })
  expect(spaced).toEqual(readSettings(inputs))
})
