import { Socket } from 'node:net'
import { Client, type ConnectConfig, type SFTPWrapper } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import type { LoginTurn, Remote } from '../../engine/ports.js'
import { authHandler, authMethods, type Credentials } from './authentication.js'
import { coalesceWrites } from './coalesce-writes.js'
import { connectionError } from './connection-errors.js'
import { useKeyObject } from './gcm-key.js'
import type { HostKeyPolicy } from './host-keys.js'
import { saveRoundTrips } from './save-round-trips.js'
import { SftpSession } from './session.js'

export interface ServerSettings extends Credentials {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly hostKeys: HostKeyPolicy
  /** For everything up to the first SFTP request. */
  readonly connectTimeoutMs: number
  readonly stallTimeoutMs: number
  /** 0: none are sent. */
  readonly keepaliveIntervalMs: number
  readonly chunkSize: number | 'auto'
}

/** Keepalives that may stay without an answer. */
const KEEPALIVES_UNANSWERED = 3

/** AES-GCM first: authenticated in one pass, and in hardware nearly everywhere. */
const CIPHERS: NonNullable<NonNullable<ConnectConfig['algorithms']>['cipher']> = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr'
]

/**
 * Connects, proves the host's key, logs in and opens an SFTP session, in this order.
 *
 * @throws UploadError `unknown-host`, `unreachable`, `host-key`, `login`, `protocol`, `connection-lost`, or the
 *   signal's reason.
 */
export async function connect(
  settings: ServerSettings,
  signal: AbortSignal,
  turn: LoginTurn = {}
): Promise<Remote> {
  signal.throwIfAborted()
  const client = new Client()
  try {
    const sftp = await within(settings.connectTimeoutMs, settings, signal, openSftp(client, settings, turn))
    return new SftpSession(client, sftp, settings)
  } catch (error) {
    // What still fails on a client that is given up is nobody's business any more.
    client.on('error', () => undefined)
    client.destroy()
    throw error
  }
}

async function openSftp(
  client: Client,
  settings: ServerSettings,
  { onReached, onLoggedIn, mayLogIn }: LoginTurn
): Promise<SFTPWrapper> {
  const { host, port, username, key, password, agent, hostKeys, keepaliveIntervalMs } = settings
  let hostKeyRefusal: UploadError | undefined

  const ready = new Promise<void>((resolve, reject) => {
    const fail = (error?: Error & { level?: string }) =>
      reject(hostKeyRefusal ?? connectionError(error, settings))
    client.on('ready', resolve)
    client.on('error', fail)
    // A server that hangs up before the login raises no error.
    client.on('close', () => fail())
  })
  if (password !== undefined) {
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
      finish(prompts.map(() => password))
    })
  }
  client.on('handshake', () => useKeyObject(client))
  client.once('connect', () => onReached?.())
  client.once('ready', () => onLoggedIn?.())
  client.connect({
    sock: openSocket(host, port),
    username,
    ...(key === undefined ? {} : { privateKey: key.key }),
    ...(agent === undefined ? {} : { agent }),
    ...(password === undefined ? {} : { password, tryKeyboard: true }),
    authHandler: authHandler(authMethods(settings), mayLogIn),
    // ssh2 takes a key for good unless the answer is exactly `false`.
    hostVerifier: (blob: Buffer) => {
      hostKeyRefusal = hostKeys.verify(blob)
      return hostKeyRefusal === undefined
    },
    algorithms: {
      cipher: CIPHERS,
      ...(hostKeys.algorithms === undefined ? {} : { serverHostKey: hostKeys.algorithms })
    },
    readyTimeout: 0,
    keepaliveInterval: keepaliveIntervalMs,
    keepaliveCountMax: KEEPALIVES_UNANSWERED
  })
  saveRoundTrips(client)
  await ready

  return new Promise((resolve, reject) => {
    client.on('close', () => reject(connectionError(undefined, settings)))
    client.sftp((error, sftp) => {
      if (!error) {
        resolve(sftp)
        return
      }
      const doing = `open SFTP on ${host}`
      reject(
        new UploadError('protocol', `${doing}: ${error.message}; the account must have the sftp subsystem`, {
          cause: error
        })
      )
    })
  })
}

function openSocket(host: string, port: number): Socket {
  const socket = new Socket()
  // With Nagle's algorithm small requests wait for the acknowledgement of the one before: 35 times slower.
  socket.setNoDelay(true)
  socket.connect(port, host)
  // Not before: `connect` puts the method back that is replaced here.
  coalesceWrites(socket)
  return socket
}

async function within<T>(
  milliseconds: number,
  { host, port }: ServerSettings,
  signal: AbortSignal,
  work: Promise<T>
): Promise<T> {
  work.catch(() => undefined)
  let cleanUp: () => void = () => undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    const seconds = milliseconds / 1000
    const timer = setTimeout(
      () =>
        reject(
          new UploadError('unreachable', `connect to ${host} port ${port}: no login within ${seconds} s`)
        ),
      milliseconds
    )
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop)
    cleanUp = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    cleanUp()
  }
}
