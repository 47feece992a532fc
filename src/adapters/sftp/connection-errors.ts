import { UploadError, type ErrorCode } from '../../core/errors.js'
import { brokenBy } from './broken-by.js'
import type { Authentication } from './authentication.js'
import type { Place, Progress } from './hop.js'
import { serverText } from './server-text.js'

/** What ssh2 reports: `level` is the layer, `code` the system's name or the number of a DISCONNECT. */
export type SshError = Error & { level?: string; code?: unknown; reason?: unknown }

/** What was seen, then what it means and what to do, a line each: five at most. */
type Told = readonly [code: ErrorCode, seen: string, ...help: string[]]

const FIREWALL = 'check that its firewall lets this runner in'
const LIMITS =
  'Servers do that at their limit of logins at once (MaxStartups), or to an address that they banned (fail2ban).'

/** What went wrong before the login was done; without an error the server hung up. */
export function connectionError(
  error: SshError | undefined,
  progress: Progress,
  login: Authentication
): UploadError {
  return tell(progress.place, whyNotConnected(error, progress, login), error)
}

/** How the server refuses SFTP after the login. */
export function sftpError(error: SshError, place: Place): UploadError {
  return tell(place, whyNoSftp(error, place), error)
}

/** The connection ended after the login, before it was of use; without an error the server hung up. */
export function endError(error: SshError | undefined, place: Place): UploadError {
  return tell(place, whyEnded(error), error)
}

/** Why the jump host, at `place`, does not connect to the server. */
export function forwardError(error: SshError, place: Place, target: string): UploadError {
  return tell(place, whyNotForwarded(error, place, target), error)
}

/** Nothing came of it in time. */
export function timeoutError(progress: Progress, seconds: number): UploadError {
  return tell(progress.place, whySlow(progress, seconds), undefined)
}

function tell({ doing }: Place, [code, seen, ...help]: Told, cause: Error | undefined): UploadError {
  const text = [`${doing}: ${seen}`, ...help].join('\n')
  return new UploadError(code, text, cause === undefined ? undefined : { cause })
}

function whyNotConnected(error: SshError | undefined, progress: Progress, login: Authentication): Told {
  const { place, stage } = progress
  if (error === undefined) return stage === 'greeting' ? droppedAtOnce(progress) : droppedInLogin()
  switch (error.level) {
    case 'client-authentication':
      return whyRefused(place, login)
    case 'agent':
      return [
        'login',
        `the agent does not sign: ${serverText(error.message)}`,
        'It holds the key, and did not answer when it was asked to use it: it ended, or wants somebody to confirm.',
        'Start it in an earlier step of the same job, or give the private key as the input key.'
      ]
    case 'handshake':
      return whyNoAlgorithm(error, place)
    case 'protocol':
      return error.message.includes('before handshake') ? droppedAtOnce(progress) : notSsh(error, progress)
    case 'client-timeout':
      return ['connection-lost', serverText(error.message)]
    default:
      // SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE is 14, too many tries end with 2 (RFC 4253, section 11.1).
      return error.code === 2 && /auth/i.test(error.message) ? tooManyTries(login) : whyNoSocket(error, place)
  }
}

function droppedAtOnce({ foreign, place }: Progress): Told {
  if (foreign !== undefined) return answersOtherwise(foreign, place)
  return [
    'connection-lost',
    'the server closed the connection before it named itself',
    LIMITS,
    `Lower the input connections, wait, and ${FIREWALL}.`
  ]
}

function droppedInLogin(): Told {
  return [
    'connection-lost',
    'the server closed the connection before the login was done',
    LIMITS,
    'When it stays so, the log of the server (journalctl -u ssh) says why.'
  ]
}

function notSsh(error: Error, { foreign, place }: Progress): Told {
  if (foreign !== undefined) return answersOtherwise(foreign, place)
  return [
    'protocol',
    serverText(error.message),
    'Server and client do not understand each other.',
    'Check that an SSH server is at this host and port; RUNNER_DEBUG=1 shows the dialogue.'
  ]
}

function answersOtherwise(foreign: string, { prefix }: Place): Told {
  const isFtp = /ftp/i.test(foreign)
  return [
    'protocol',
    `it answers "${foreign}", which is not SSH`,
    isFtp ? 'That is FTP, another protocol than SFTP.' : 'Another service has this port.',
    `Check the input ${prefix}${prefix === '' ? 'port' : 'host'}: SFTP is on the port of SSH, mostly 22.`
  ]
}

function whyNoAlgorithm({ message }: Error, place: Place): Told {
  const missing = serverText(message).replace(/^Handshake failed: /, '')
  if (message.includes('host key format')) {
    return [
      'host-key',
      `${missing}: the server has no host key of the types that are pinned`,
      'Either it lost or replaced that key, or its only one is RSA with SHA-1, as old servers have.',
      `ssh-keyscan ${place.host} lists its keys: compare them with the server's own, then put their lines into ${place.prefix}known-hosts.`,
      'For an old server set legacy-algorithms: true.'
    ]
  }
  if (message.includes('no matching')) {
    return [
      'protocol',
      `${missing}: server and client have none in common`,
      'Old servers offer only what is no longer safe.',
      'Update the server; until then set legacy-algorithms: true. RUNNER_DEBUG=1 shows what it offers.'
    ]
  }
  return [
    'protocol',
    serverText(message),
    'The connection could not be made safe.',
    'Check that an SSH server is at this host and port; RUNNER_DEBUG=1 shows the dialogue.'
  ]
}

function whyRefused(place: Place, login: Authentication): Told {
  const { username, prefix } = place
  const { offered, isPartial } = login
  const tried = [...login.tried].join(' and with ') || 'what is given'
  const takes = offered === undefined ? '' : `; it takes ${offered.join(', ') || 'nothing'}`
  if (isPartial) {
    return [
      'login',
      `the server accepts ${username} with ${tried}, and wants another proof besides${takes}`,
      'Its AuthenticationMethods asks for two.',
      `Give both the inputs ${prefix}key and ${prefix}password, or use an account that one is enough for.`
    ]
  }
  return ['login', `the server refuses ${username} with ${tried}${takes}`, ...loginHelp(place, login)]
}

function loginHelp({ username, prefix }: Place, { tried, offered }: Authentication): string[] {
  const takes = (...names: string[]) => offered === undefined || names.some(name => offered.includes(name))
  const takesPassword = takes('password', 'keyboard-interactive')
  const triedKey = [...tried].some(means => means !== 'the password')
  if (triedKey && takes('publickey')) {
    return [
      `The public half of the key must be in the server's authorized_keys of ${username}, in a directory that only ${username} can write to.`,
      'On the server, ssh-keygen -lf ~/.ssh/authorized_keys shows the fingerprints that are in, and journalctl -u ssh why it refused.'
    ]
  }
  if (triedKey) {
    return [
      `The server takes no key from ${username}.`,
      takesPassword
        ? `Give the input ${prefix}password, or have PubkeyAuthentication allowed for ${username}.`
        : `Ask the server's owner how ${username} is to log in.`
    ]
  }
  if (takesPassword) {
    return [
      'The name or the password is wrong, or this user may not log in with a password.',
      `Check the inputs username and ${prefix}password; for a key, the input ${prefix}key.`
    ]
  }
  return [
    `The server takes no password from ${username}.`,
    `Give a private key as the input ${prefix}key, its public half in the server's authorized_keys of ${username}.`
  ]
}

function tooManyTries(login: Authentication): Told {
  return [
    'login',
    `the server ended the login after too many tries, with ${[...login.tried].join(' and with ')}`,
    'Each key of an agent counts as one, and six are the usual limit (MaxAuthTries).',
    'Leave only the right key in the agent, or give it as the input key.'
  ]
}

function whyNoSocket(error: SshError, { host, prefix }: Place): Told {
  // What ssh2 stumbles over while it reads.
  if (error instanceof TypeError || error instanceof RangeError) {
    return [
      'protocol',
      'the server sends what is not SSH',
      'Server and client do not understand each other.',
      'Check that an SSH server is at this host and port; RUNNER_DEBUG=1 shows the dialogue.'
    ]
  }
  const seen = readable(error)
  const address = prefix === '' ? 'the inputs host and port' : 'the input jump-host'
  switch (systemCode(error)) {
    case 'ENOTFOUND':
      return [
        'unknown-host',
        `the name ${host} is not known`,
        'It is misspelled, or known only inside another network.',
        `Check the input ${prefix}host. A name of an inner network needs a runner in there, or a jump-host.`
      ]
    case 'EAI_AGAIN':
      return [
        'unreachable',
        `the name ${host} could not be looked up (EAI_AGAIN)`,
        'The name server of this machine did not answer.',
        "Run the job again; when it stays so, check the runner's network."
      ]
    case 'ECONNREFUSED':
      return [
        'unreachable',
        seen,
        'The machine is there, and nothing listens on this port, or a firewall says no.',
        `Check ${address}, that the SSH server runs, and ${FIREWALL}.`
      ]
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return [
        'unreachable',
        seen,
        "There is no way from this machine to the address. GitHub's own runners have no IPv6.",
        'Give a name with an IPv4 address, or use a runner in that network, or a jump-host.'
      ]
    case 'ETIMEDOUT':
      return ['unreachable', seen, ...unansweredHelp(address)]
    default:
      return ['connection-lost', seen]
  }
}

function unansweredHelp(address: string): string[] {
  return [
    'A firewall drops what this runner sends, or the machine is off.',
    `Check ${address}, and ${FIREWALL}: the addresses of GitHub's own runners change all the time.`
  ]
}

function whySlow({ place, stage, foreign }: Progress, seconds: number): Told {
  const address = place.prefix === '' ? 'the inputs host and port' : 'the input jump-host'
  switch (stage) {
    case 'reaching':
      return ['unreachable', `no answer within ${seconds} s`, ...unansweredHelp(address)]
    case 'greeting':
      if (foreign !== undefined) return answersOtherwise(foreign, place)
      return [
        'unreachable',
        `connected, but no SSH server named itself within ${seconds} s`,
        'The server is overloaded, or another service has this port.',
        `Check ${address}; for a slow server raise connect-timeout.`
      ]
    case 'logging-in':
      return [
        'unreachable',
        `the server named itself, but no login within ${seconds} s`,
        'The server, or what it asks about users (a directory service, DNS), is slow.',
        'Raise connect-timeout, or ask the owner of the server.'
      ]
    case 'opening':
      return [
        'unreachable',
        `logged in, but no answer within ${seconds} s`,
        'The program that should serve files does not answer.',
        "Raise connect-timeout, or ask the owner of the server to look at the account's sftp subsystem."
      ]
  }
}

function whyEnded(error: SshError | undefined): Told {
  if (error !== undefined && breaksRules(error)) {
    return [
      'protocol',
      `logged in, then ${brokenBy(error)}`,
      'Server and client do not understand each other.',
      'RUNNER_DEBUG=1 shows the dialogue; the log of the server may say more.'
    ]
  }
  return [
    'connection-lost',
    `logged in, then ${error === undefined ? 'the server closed the connection' : brokenBy(error)}`,
    'The line was cut, or the account is not set up: a ChrootDirectory must belong to root, and only root may write to it.',
    'When it stays so, the log of the server (journalctl -u ssh) says why.'
  ]
}

/** What ssh2 stumbles over while it reads has no level. */
function breaksRules(error: SshError): boolean {
  const isOdd = error instanceof TypeError || error instanceof RangeError
  return isOdd || error.level === 'protocol' || error.level === 'sftp-protocol'
}

function whyNoSftp(error: SshError, { username }: Place): Told {
  if (error.message.includes('Packet length')) {
    return [
      'protocol',
      `${username} gets text where SFTP should begin: ${brokenBy(error)}`,
      "The account's shell prints something, as nologin and profiles with echo do.",
      'On the server: Subsystem sftp internal-sftp and ForceCommand internal-sftp need no shell; or silence the profile.'
    ]
  }
  if (error.message.startsWith('(SSH) Channel open failure')) {
    return [
      'protocol',
      `logged in, but the server opens no session (${serverText(error.message)})`,
      'The account may only forward connections, or has too many sessions already (MaxSessions).',
      "Ask the server's owner to allow sessions for this account; a lower input connections may help."
    ]
  }
  return [
    'protocol',
    `logged in, but SFTP does not start (${serverText(error.message)})`,
    'The server has no sftp subsystem, or this account may not use it. SCP, FTP and a shell are other things.',
    'On the server: "Subsystem sftp internal-sftp" in sshd_config; managed ones have a switch for SFTP.'
  ]
}

function whyNotForwarded(error: SshError, { prefix }: Place, target: string): Told {
  // SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, section 5.1).
  if (error.reason === 1) {
    return [
      'protocol',
      `it may not connect this user to ${target} (${serverText(error.message)})`,
      'The jump host forbids it: AllowTcpForwarding no, PermitOpen, or "restrict" in authorized_keys.',
      `Have port forwarding to ${target} allowed there, or take another ${prefix}host.`
    ]
  }
  return [
    'unreachable',
    `logged in there, but from there ${target} is not reached (${serverText(error.message)})`,
    'The name or address is looked up on the jump host, and the connection begins there.',
    'Check the inputs host and port as seen from the jump host, and that the server lets the jump host in.'
  ]
}

function systemCode(error: SshError): unknown {
  if (error instanceof AggregateError) {
    const codes = error.errors.map(inner => (inner as SshError).code)
    // Of several addresses one may have no way to it; another one tells more.
    return codes.find(code => code !== 'ENETUNREACH' && code !== 'EHOSTUNREACH') ?? codes[0]
  }
  return error.code
}

/** An AggregateError of several addresses has no message of its own. */
function readable(error: Error): string {
  if (error.message !== '') return serverText(error.message)
  return error instanceof AggregateError
    ? error.errors.map(inner => serverText((inner as Error).message)).join('; ')
    : error.name
}
