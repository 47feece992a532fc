import { codeOf } from '../../core/errors.js'
import { isStumble, type SshError } from './reason.js'
import { serverText } from './server-text.js'

/** ssh2 names what a packet would be as long as, for lack of a check of what it is (lib/protocol/SFTP.js, push). */
const PACKET_LENGTH = /^Packet length (\d+) exceeds/

/**
 * Why a connection is over, in words. Text where a packet belongs comes from programs that a login starts: its first
 * four characters are taken for a length.
 */
export function brokenBy(failure: Error): string {
  const length = Number(PACKET_LENGTH.exec(failure.message)?.[1])
  const start = Number.isNaN(length) ? '' : writeLength(length)
  if (/^[\t\n\r\x20-\x7e]{4}$/.test(start)) {
    return `the server sends text where SFTP belongs, beginning with ${JSON.stringify(start)}; what a login starts there (.bashrc, .profile, a banner script) must print nothing`
  }
  if (isStumble(failure)) return 'the server sends what is not SFTP'
  return serverText(failure.message)
}

/** What this side's system reports when nothing comes back any more. */
const SILENCE = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  // Of Windows, whose network is gone.
  'ECONNABORTED',
  'EADDRNOTAVAIL'
])

/** Whether a connection ended without a word from the other side, which may still have it. */
export function isSilence(failure: SshError): boolean {
  return failure.level === 'client-timeout' || SILENCE.has(codeOf(failure) ?? '')
}

function writeLength(length: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes.toString('latin1')
}
