import type { UploadError } from '../../core/errors.js'
import type { Authentication } from './authentication.js'
import type { Place, Progress } from './hop.js'
import { errorAt, isStumble, type Reason, type SshError } from './reason.js'
import { serverText } from './server-text.js'
import { whyEnded, whyNoSftp, whyNotForwarded } from './why-no-sftp.js'
import { tooManyTries, whyRefused, whyUnsigned } from './why-refused.js'
import { addressOf, FIREWALL, unansweredHelp, whyUnreached } from './why-unreached.js'

const LIMITS =
  'Servers do that at their limit of logins at once (MaxStartups), or to an address that they banned (fail2ban).'
const CHECK_PORT =
  'Check that an SSH server is at this host and port; a re-run with debug logging (elsewhere RUNNER_DEBUG=1) shows the dialogue.'
const NOT_UNDERSTOOD = ['Server and client do not understand each other.', CHECK_PORT]

/** What OpenSSH says in the place of its name at a limit (sshd.c), since 9.2 and 9.8. */
const AT_LIMIT = /^(?:Exceeded MaxStartups|Not allowed at this time)/

/** Numbers of a DISCONNECT: no more methods to log in with, and a user that there is not (RFC 4253, section 11.1). */
const LOGIN_REFUSED: readonly unknown[] = [14, 15]

/** What went wrong before the login was done; without an error the server hung up. */
export function connectionError(
  error: SshError | undefined,
  progress: Progress,
  login: Authentication
): UploadError {
  return errorAt(progress.place, whyNotConnected(error, progress, login), error)
}

/** How the server refuses SFTP after the login. */
export function sftpError(error: SshError, place: Place): UploadError {
  return errorAt(place, whyNoSftp(error, place), error)
}

/** The connection ended after the login, before it was of use; without an error the server hung up. */
export function endError(error: SshError | undefined, place: Place): UploadError {
  return errorAt(place, whyEnded(error), error)
}

/** Why the jump host, at `place`, does not connect to the server. */
export function forwardError(error: SshError, place: Place, target: string): UploadError {
  return errorAt(place, whyNotForwarded(error, place, target), error)
}

/** Nothing came of it in time. */
export function timeoutError(progress: Progress, seconds: number): UploadError {
  return errorAt(progress.place, whySlow(progress, seconds))
}

function whyNotConnected(error: SshError | undefined, progress: Progress, login: Authentication): Reason {
  const { place, stage } = progress
  if (error === undefined) return stage === 'greeting' ? droppedAtOnce(progress) : droppedInLogin()
  switch (error.level) {
    case 'client-authentication':
      return whyRefused(place, login)
    case 'agent':
      return whyUnsigned(error)
    case 'handshake':
      return whyNoAlgorithm(error, place)
    case 'protocol':
      return error.message.includes('before handshake') ? droppedAtOnce(progress) : notSsh(error, progress)
    case 'client-timeout':
      return ['connection-lost', serverText(error.message)]
    default:
      // What a server says before it hangs up is lost where the system resets the connection.
      if (stage === 'greeting' && error.code === 'ECONNRESET') return droppedAtOnce(progress)
      if (LOGIN_REFUSED.includes(error.code)) return whyRefused(place, login)
      // OpenSSH ends too many tries with SSH_DISCONNECT_PROTOCOL_ERROR.
      if (error.code === 2 && /auth/i.test(error.message)) return tooManyTries(login)
      return isStumble(error)
        ? ['protocol', 'the server sends what is not SSH', ...NOT_UNDERSTOOD]
        : whyUnreached(error, place)
  }
}

function droppedAtOnce({ foreign, place }: Progress): Reason {
  if (foreign !== undefined) return answersOtherwise(foreign, place)
  return [
    'connection-lost',
    'the server closed the connection before it named itself',
    LIMITS,
    `Lower the input connections, wait, and ${FIREWALL}.`
  ]
}

function droppedInLogin(): Reason {
  return [
    'connection-lost',
    'the server closed the connection before the login was done',
    LIMITS,
    'When it stays so, the log of the server (journalctl -u ssh) says why.'
  ]
}

function notSsh(error: Error, { foreign, place }: Progress): Reason {
  if (foreign !== undefined) return answersOtherwise(foreign, place)
  return ['protocol', serverText(error.message), ...NOT_UNDERSTOOD]
}

function answersOtherwise(foreign: string, { prefix }: Place): Reason {
  if (AT_LIMIT.test(foreign)) {
    const help = `Lower the input connections, wait, and ${FIREWALL}.`
    return ['connection-lost', `the server takes no login now: "${foreign}"`, LIMITS, help]
  }
  const isFtp = /ftp/i.test(foreign)
  return [
    'protocol',
    `it answers "${foreign}", which is not SSH`,
    isFtp ? 'That is FTP, another protocol than SFTP.' : 'Another service has this port.',
    `Check the input ${prefix}${prefix === '' ? 'port' : 'host'}: SFTP is on the port of SSH, mostly 22.`
  ]
}

function whyNoAlgorithm({ message }: Error, place: Place): Reason {
  const missing = serverText(message).replace(/^Handshake failed: /, '')
  if (message.includes('host key format')) {
    return [
      'host-key',
      `${missing}: the server has no host key of the types that are pinned, or that are still safe`,
      'Either it lost or replaced that key, or its only one is RSA with SHA-1, as old servers have.',
      `ssh-keyscan ${place.host} lists its keys (with -p for another port than 22; behind a jump host, run it there): compare them with the server's own, then put their lines into ${place.prefix}known-hosts.`,
      'For an old server set legacy-algorithms: true.'
    ]
  }
  if (message.includes('no matching')) {
    return [
      'protocol',
      `${missing}: server and client have none in common`,
      'Old servers offer only what is no longer safe.',
      'Update the server; until then set legacy-algorithms: true. A re-run with debug logging (elsewhere RUNNER_DEBUG=1) shows what it offers.'
    ]
  }
  return ['protocol', serverText(message), 'The connection could not be made safe.', CHECK_PORT]
}

function whySlow({ place, stage, foreign }: Progress, seconds: number): Reason {
  switch (stage) {
    case 'reaching':
      return ['unreachable', `no answer within ${seconds} s`, ...unansweredHelp(place)]
    case 'greeting':
      if (foreign !== undefined) return answersOtherwise(foreign, place)
      return [
        'unreachable',
        `connected, but no SSH server named itself within ${seconds} s`,
        'The server is overloaded, or another service has this port.',
        `Check ${addressOf(place)}; for a slow server raise connect-timeout.`
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
