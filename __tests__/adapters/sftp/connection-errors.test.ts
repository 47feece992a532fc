import { describe, expect, test } from '@jest/globals'
import type { AuthenticationType } from 'ssh2'
import { Authentication, type LoginMeans } from '../../../src/adapters/sftp/authentication.js'
import {
  connectionError,
  endError,
  forwardError,
  sftpError,
  timeoutError
} from '../../../src/adapters/sftp/connection-errors.js'
import type { Place, Progress } from '../../../src/adapters/sftp/hop.js'
import type { SshError } from '../../../src/adapters/sftp/reason.js'
import type { ErrorCode, UploadError } from '../../../src/core/errors.js'

const KEY: LoginMeans['key'] = { key: 'the key itself', type: 'ssh-ed25519', fingerprint: 'SHA256:abc' }
/** Of five keys; no connection is made to it. */
const AGENT = {
  socket: '/run/agent',
  keys: ['a', 'b', 'c', 'd', 'e'].map(name => ({ type: 'ssh-ed25519', fingerprint: `SHA256:${name}` }))
} as unknown as LoginMeans['agent']
const SERVER: Place = {
  doing: 'connect to example.com port 22',
  host: 'example.com',
  username: 'deploy',
  prefix: ''
}
const JUMP: Place = {
  doing: 'connect to jump host bastion port 22',
  host: 'bastion',
  username: 'deploy',
  prefix: 'jump-'
}

function at(stage: Progress['stage'], foreign?: string, place = SERVER): Progress {
  return { place, stage, foreign }
}

function failed(message: string, more: Partial<SshError> = {}): SshError {
  return Object.assign(new Error(message), more)
}

/** A login that tried all its means, which the server answered with these methods. */
function refused(
  means: Partial<LoginMeans>,
  offered: readonly string[] | undefined,
  isPartial = false
): Authentication {
  const login = new Authentication({
    username: 'deploy',
    key: undefined,
    agent: undefined,
    password: undefined,
    ...means
  })
  const answers = [null, ...Array.from({ length: 3 }, () => offered ?? null)]
  for (const answer of answers) login.next(answer as AuthenticationType[] | null, isPartial, () => undefined)
  return login
}

const nobody = refused({}, undefined)
const auth = failed('All configured authentication methods failed', { level: 'client-authentication' })
const socket = (code: string, message = `connect ${code} 192.0.2.1:22`) =>
  failed(message, { level: 'client-socket', code })
const handshake = (what: string) =>
  connectionError(failed(`Handshake failed: ${what}`, { level: 'handshake' }), at('greeting'), nobody)
const login = (means: Partial<LoginMeans>, offered: readonly string[] | undefined, isPartial?: boolean) =>
  connectionError(auth, at('logging-in'), refused(means, offered, isPartial))

/** What happened, the error, its code, what was seen, and what to do. */
const TEXTS: readonly (readonly [string, UploadError, ErrorCode, RegExp, RegExp])[] = [
  [
    'a name that nobody knows',
    connectionError(socket('ENOTFOUND', 'getaddrinfo ENOTFOUND x'), at('reaching'), nobody),
    'unknown-host',
    /the name example\.com is not known/,
    /input host.*jump-host/
  ],
  [
    'a name server that does not answer',
    connectionError(socket('EAI_AGAIN'), at('reaching'), nobody),
    'unreachable',
    /EAI_AGAIN/,
    /network/
  ],
  [
    'a closed port',
    connectionError(socket('ECONNREFUSED'), at('reaching'), nobody),
    'unreachable',
    /ECONNREFUSED 192\.0\.2\.1:22/,
    /inputs host and port.*firewall/
  ],
  [
    'a closed port of the jump host',
    connectionError(socket('ECONNREFUSED'), at('reaching', undefined, JUMP), nobody),
    'unreachable',
    /jump host bastion/,
    /input jump-host/
  ],
  [
    'no way to the address',
    connectionError(socket('ENETUNREACH'), at('reaching'), nobody),
    'unreachable',
    /ENETUNREACH/,
    /IPv4/
  ],
  [
    'several addresses of which one refuses',
    connectionError(
      new AggregateError([socket('ENETUNREACH', 'no IPv6'), socket('ECONNREFUSED', 'refused')], ''),
      at('reaching'),
      nobody
    ),
    'unreachable',
    /no IPv6; refused/,
    /port.*firewall/
  ],
  [
    'packets that a firewall drops',
    connectionError(socket('ETIMEDOUT'), at('reaching'), nobody),
    'unreachable',
    /ETIMEDOUT/,
    /firewall.*runner/
  ],
  ['the same, found by the time limit', timeoutError(at('reaching'), 30), 'unreachable', /30 s/, /firewall/],
  [
    'a port that accepts and says nothing',
    timeoutError(at('greeting'), 30),
    'unreachable',
    /connected, but no SSH server named itself within 30 s/,
    /port.*connect-timeout/
  ],
  [
    'a port of FTP',
    timeoutError(at('greeting', '220 ProFTPD'), 30),
    'protocol',
    /"220 ProFTPD"/,
    /FTP, another protocol[^]*input port.*22/
  ],
  [
    'a port of something else, which hangs up',
    connectionError(
      failed('Connection lost before handshake', { level: 'protocol' }),
      at('greeting', 'HTTP/1.1 400'),
      nobody
    ),
    'protocol',
    /"HTTP\/1\.1 400"/,
    /input port/
  ],
  [
    'a slow login',
    timeoutError(at('logging-in'), 30),
    'unreachable',
    /no login within 30 s/,
    /connect-timeout/
  ],
  [
    'a subsystem that does not answer',
    timeoutError(at('opening'), 30),
    'unreachable',
    /logged in, but/,
    /connect-timeout/
  ],
  [
    'a server at its limit of logins',
    connectionError(
      failed('Connection lost before handshake', { level: 'protocol' }),
      at('greeting'),
      nobody
    ),
    'connection-lost',
    /closed the connection before it named itself/,
    /MaxStartups[^]*fail2ban[^]*connections/
  ],
  [
    'the same, where what it says is lost in a reset',
    connectionError(socket('ECONNRESET', 'read ECONNRESET'), at('greeting'), nobody),
    'connection-lost',
    /closed the connection before it named itself/,
    /MaxStartups[^]*fail2ban[^]*connections/
  ],
  [
    'a server that hangs up during the login',
    connectionError(undefined, at('logging-in'), nobody),
    'connection-lost',
    /before the login was done/,
    /MaxStartups[^]*log of the server/
  ],
  [
    'no key exchange in common',
    handshake('no matching key exchange algorithm'),
    'protocol',
    /no matching key exchange/,
    /legacy-algorithms: true/
  ],
  [
    'no cipher in common',
    handshake('no matching C->S cipher'),
    'protocol',
    /no matching C->S cipher/,
    /legacy-algorithms: true/
  ],
  [
    'no host key of a pinned type',
    handshake('no matching host key format'),
    'host-key',
    /no host key of the types that are pinned, or that are still safe/,
    /ssh-keyscan example\.com[^]*known-hosts[^]*legacy-algorithms/
  ],
  [
    'another fault of the handshake',
    handshake('signature verification failed'),
    'protocol',
    /signature/,
    /debug logging/
  ],
  [
    'nonsense in place of SSH',
    connectionError(failed('Invalid identification', { level: 'protocol' }), at('greeting'), nobody),
    'protocol',
    /Invalid identification/,
    /debug logging/
  ],
  [
    'a refused key',
    login({ key: KEY }, ['publickey', 'password']),
    'login',
    /refuses deploy with the ssh-ed25519 key SHA256:abc; it takes publickey, password/,
    /authorized_keys of deploy[^]*ssh-keygen -lf/
  ],
  [
    'a key where only passwords are taken',
    login({ key: KEY }, ['password']),
    'login',
    /SHA256:abc; it takes password$/m,
    /takes no key[^]*input password/
  ],
  [
    'a key where neither is taken',
    login({ key: KEY }, ['gssapi-with-mic']),
    'login',
    /it takes gssapi-with-mic/,
    /server's owner/
  ],
  [
    'a refused password',
    login({ password: 'secret' }, ['publickey', 'password']),
    'login',
    /refuses deploy with the password; it takes publickey, password/,
    /username and password.*input key/
  ],
  [
    'a password where only keys are taken',
    login({ password: 'secret' }, ['publickey']),
    'login',
    /with the password; it takes publickey$/m,
    /no password[^]*input key/
  ],
  [
    'a refused key and a refused password',
    login({ key: KEY, password: 'secret' }, ['publickey', 'password']),
    'login',
    /with the ssh-ed25519 key SHA256:abc and with the password/,
    /authorized_keys/
  ],
  [
    'a key that is not enough',
    login({ key: KEY }, ['password'], true),
    'login',
    /accepts deploy with the ssh-ed25519 key SHA256:abc, and wants another proof/,
    /both the inputs key and password/
  ],
  [
    'a refused login at the jump host',
    connectionError(auth, at('logging-in', undefined, JUMP), refused({ key: KEY }, ['password'])),
    'login',
    /^connect to jump host bastion port 22: /,
    /input jump-password/
  ],
  [
    'an agent with too many keys',
    connectionError(
      failed('Too many authentication failures', { code: 2 }),
      at('logging-in'),
      refused({ agent: AGENT }, [])
    ),
    'login',
    /too many tries, with the agent's 5 keys ssh-ed25519 SHA256:a, .*SHA256:b, .*SHA256:c, 2 more$/,
    /MaxAuthTries[^]*input key/
  ],
  [
    'a refused key, by a server that hangs up with it',
    connectionError(
      failed('No more authentication methods available', { code: 14 }),
      at('logging-in'),
      refused({ key: KEY }, undefined)
    ),
    'login',
    /refuses deploy with the ssh-ed25519 key SHA256:abc$/,
    /authorized_keys of deploy/
  ],
  [
    'a user that there is not',
    connectionError(
      failed('Illegal user name', { code: 15 }),
      at('logging-in'),
      refused({ password: 'secret' }, undefined)
    ),
    'login',
    /refuses deploy with the password$/,
    /name or the password is wrong[^]*inputs username/
  ],
  [
    'an agent that does not sign',
    connectionError(failed('Agent: failed to sign', { level: 'agent' }), at('logging-in'), nobody),
    'login',
    /agent does not sign/,
    /input key/
  ],
  [
    'a server without SFTP',
    sftpError(failed('Unable to start subsystem: sftp'), SERVER),
    'protocol',
    /SFTP does not start \(Unable to start/,
    /Subsystem sftp internal-sftp/
  ],
  [
    'a shell that prints text',
    sftpError(failed('Packet length 1751477356 exceeds max length', { level: 'sftp-protocol' }), SERVER),
    'protocol',
    /text where SFTP should begin/,
    /nologin[^]*ForceCommand internal-sftp/
  ],
  [
    'no session any more',
    sftpError(failed('(SSH) Channel open failure: open failed', { reason: 1 }), SERVER),
    'protocol',
    /opens no session/,
    /MaxSessions[^]*connections/
  ],
  [
    'an account that is not set up',
    endError(undefined, SERVER),
    'connection-lost',
    /logged in, then the server closed/,
    /ChrootDirectory[^]*log of the server/
  ],
  [
    'a line that is cut after the login',
    endError(socket('ECONNRESET', 'read ECONNRESET'), SERVER),
    'connection-lost',
    /logged in, then read ECONNRESET/,
    /cut/
  ],
  [
    'a jump host that forbids forwarding',
    forwardError(
      failed('(SSH) Channel open failure: open failed', { reason: 1 }),
      JUMP,
      'example.com port 22'
    ),
    'protocol',
    /jump host bastion.*may not connect this user to example\.com port 22/,
    /AllowTcpForwarding[^]*jump-host/
  ],
  [
    'nothing behind the jump host',
    forwardError(
      failed('(SSH) Channel open failure: Connection refused', { reason: 2 }),
      JUMP,
      'example.com port 22'
    ),
    'unreachable',
    /from there example\.com port 22 is not reached.*refused/,
    /as seen from the jump host/
  ]
]

describe('an error says what was seen, what it means and what to do', () => {
  test.each(['Exceeded MaxStartups', 'Not allowed at this time'])(
    'a server at its limit of logins that says so in the place of its name: %s',
    line => {
      const dropped = failed('Connection lost before handshake', { level: 'protocol' })
      const error = connectionError(dropped, { ...at('greeting'), foreign: line }, nobody)
      expect(error.code).toBe('connection-lost')
      expect(error.message).toMatch(/takes no login now: ".*"[^]*MaxStartups[^]*connections/)
    }
  )

  test.each(TEXTS)('%s', (_name, error, code, seen, todo) => {
    const [first = '', ...help] = error.message.split('\n')
    expect(error.code).toBe(code)
    expect(first).toMatch(/^connect to /)
    expect(first).toMatch(seen)
    expect(help.join('\n')).toMatch(todo)
    expect(help.length).toBeGreaterThanOrEqual(2)
    expect(help.length).toBeLessThanOrEqual(4)
    expect(error.message).not.toMatch(/the key itself|secret/)
  })
})

describe('a login', () => {
  const METHODS: AuthenticationType[] = ['publickey', 'password', 'keyboard-interactive']
  const answer = (login: Authentication, offered: AuthenticationType[] | null, isPartial: boolean) => {
    let chosen: unknown
    login.next(offered, isPartial, method => (chosen = method))
    return chosen
  }
  const next = (login: Authentication, offered: AuthenticationType[] | null) => answer(login, offered, false)
  const accept = (login: Authentication, offered: AuthenticationType[]) => answer(login, offered, true)
  const means = { username: 'deploy', key: KEY, agent: undefined, password: 'secret' }

  test('tries the key first, then what the server takes', () => {
    const login = new Authentication(means)
    expect(next(login, null)).toBe('publickey')
    expect(next(login, ['keyboard-interactive'])).toBe('keyboard-interactive')
    expect(next(login, ['keyboard-interactive'])).toBe(false)
  })

  test('tries nothing that the server does not take', () => {
    const login = new Authentication(means)
    expect([next(login, ['password']), next(login, ['publickey']), next(login, ['publickey'])]).toEqual([
      'password',
      'publickey',
      false
    ])
  })

  test('tries once more what the server did not take before it had another proof', () => {
    const login = new Authentication(means)
    expect([next(login, null), next(login, ['password']), accept(login, ['publickey'])]).toEqual([
      'publickey',
      'password',
      'publickey'
    ])
    expect(next(login, ['publickey'])).toBe(false)
  })

  test('does not try again what the server takes and has refused', () => {
    const login = new Authentication(means)
    expect(next(login, null)).toBe('publickey')
    expect(next(login, ['publickey', 'password'])).toBe('password')
    expect(accept(login, ['publickey'])).toBe(false)
  })

  test('comes to an end, though the server always wants another method than it was given', () => {
    const login = new Authentication(means)
    const tried = [next(login, null)]
    while (tried.at(-1) !== false && tried.length < 20) {
      const others = METHODS.filter(method => method !== tried.at(-1))
      tried.push(answer(login, others, tried.length % 2 === 0))
    }
    expect(tried.length).toBeLessThan(8)
  })
})
