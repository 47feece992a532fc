import { UploadError, type ErrorCode } from '../../core/errors.js'
import type { Credentials } from './authentication.js'

interface Server extends Credentials {
  readonly host: string
  readonly port: number
  readonly username: string
}

/** What OpenSSH says when it hangs up after MaxAuthTries (auth.c, auth_maxtries_exceeded). */
const TOO_MANY_KEYS = 'Too many authentication failures'

/** System errors of a socket that say more than "lost". */
const SOCKET_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unreachable',
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'unreachable'
}

/**
 * What went wrong before a session was there. ssh2 names the layer in `error.level`; without an error the server
 * hung up.
 */
export function connectionError(
  error: (Error & { level?: string }) | undefined,
  server: Server
): UploadError {
  const doing = `connect to ${server.host} port ${server.port}`
  if (error === undefined) {
    return new UploadError(
      'connection-lost',
      `${doing}: the server closed the connection before the login was done`
    )
  }
  const because = (code: ErrorCode, text: string) =>
    new UploadError(code, `${doing}: ${text}`, { cause: error })
  switch (error.level) {
    case 'client-authentication':
      return because('login', refusedLogin(server))
    case 'agent':
      return because('login', `the ssh agent at ${server.agent ?? ''} does not log in: ${error.message}`)
    case 'handshake':
      return because('protocol', `${error.message}; the server and this client have no algorithm in common`)
    case 'protocol':
      return error.message.includes('before handshake')
        ? because('connection-lost', 'the server closed the connection before it named itself')
        : because('protocol', error.message)
    case 'client-timeout':
      return because('connection-lost', error.message)
    default: {
      if (error.message.includes(TOO_MANY_KEYS)) return because('login', refusedAfterMany(server))
      const code = socketCode(error)
      if (code === 'unknown-host')
        return because(code, `the name ${server.host} is not known; check the input host`)
      return because(code ?? 'connection-lost', readable(error))
    }
  }
}

/** Every key that an agent offers is a failure until one is accepted. */
function refusedAfterMany({ agent }: Server): string {
  const advice =
    agent === undefined ? '' : '; use an ssh agent that offers fewer keys, or give the key itself'
  return `${TOO_MANY_KEYS}${advice}`
}

function refusedLogin({ username, key, password, agent }: Server): string {
  const tried = [
    ...(key === undefined ? [] : [`the ${key.type} key ${key.fingerprint}`]),
    ...(agent === undefined ? [] : ['the keys of the ssh agent']),
    ...(password === undefined ? [] : ['the password'])
  ]
  const advice =
    key === undefined ? '' : `; its public half must be in the server's authorized_keys of that user`
  return `the server refuses ${username} with ${tried.join(' and with ')}${advice}`
}

function socketCode(error: Error): ErrorCode | undefined {
  return 'code' in error && typeof error.code === 'string' ? SOCKET_CODES[error.code] : undefined
}

/** An AggregateError of several addresses has no message of its own. */
function readable(error: Error): string {
  if (error.message !== '') return error.message
  return error instanceof AggregateError && error.errors[0] instanceof Error
    ? error.errors[0].message
    : error.name
}
