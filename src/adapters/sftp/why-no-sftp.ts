import { brokenBy } from './broken-by.js'
import type { Place } from './hop.js'
import { isStumble, type Reason, type SshError } from './reason.js'
import { serverText } from './server-text.js'

/** Why the connection ended after the login, before it was of use; without an error the server hung up. */
export function whyEnded(error: SshError | undefined): Reason {
  if (error !== undefined && breaksRules(error)) {
    return [
      'protocol',
      `logged in, then ${brokenBy(error)}`,
      'Server and client do not understand each other.',
      'A re-run with debug logging (elsewhere RUNNER_DEBUG=1) shows the dialogue; the log of the server may say more.'
    ]
  }
  return [
    'connection-lost',
    `logged in, then ${error === undefined ? 'the server closed the connection' : brokenBy(error)}`,
    'The line was cut, or the account is not set up: a ChrootDirectory must belong to root, and only root may write to it.',
    'When it stays so, the log of the server (journalctl -u ssh) says why.'
  ]
}

/** Why the server does not begin with SFTP. */
export function whyNoSftp(error: SshError, { username }: Place): Reason {
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

/** Why a jump host does not connect to the server. */
export function whyNotForwarded(error: SshError, { prefix }: Place, target: string): Reason {
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

function breaksRules(error: SshError): boolean {
  return isStumble(error) || error.level === 'protocol' || error.level === 'sftp-protocol'
}
