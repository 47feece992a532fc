import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import type { LoginTurn } from '../../engine/ports.js'
import { offeredAlgorithms } from './algorithms.js'
import { Authentication } from './authentication.js'
import { connectionError } from './connection-errors.js'
import { useKeyObjects } from './gcm-keys.js'
import type { Hop, Progress } from './hop.js'
import { createLimitedAgent } from './limited-agent.js'
import type { SshError } from './reason.js'
import { saveRoundTrips } from './save-round-trips.js'
import { heedSignsOfLife } from './signs-of-life.js'

export interface LoginSettings {
  /** For everything up to the first SFTP request. An agent may have to ask a person, and has as long for each answer. */
  readonly connectTimeoutMs: number
  /** Whether what only old servers need is offered, too. */
  readonly legacyAlgorithms: boolean
  /** 0: none. */
  readonly keepaliveIntervalMs: number
  /** For each connection, what takes the lines of its SSH dialogue; `undefined`: nobody. */
  readonly dialogueOf: ((connection: string) => (line: string) => void) | undefined
}

/** One login: over which stream, to whom, and who is told how far it has come. */
export interface LoginAttempt {
  readonly client: Client
  readonly stream: Duplex
  readonly hop: Hop
  readonly progress: Progress
  readonly settings: LoginSettings
  readonly turn: LoginTurn
}

/** Keepalives that may stay without an answer. */
const KEEPALIVES_UNANSWERED = 3

/** Longer first lines of a service that is not SSH are cut. */
const FOREIGN_LINE = 80

/**
 * Speaks SSH over a stream: proves the host's key, then logs in, in this order. `client` is of use when it resolves.
 *
 * @throws UploadError `unknown-host`, `unreachable`, `host-key`, `login`, `protocol`, `connection-lost`.
 */
export async function logIn({ client, stream, hop, progress, settings, turn }: LoginAttempt): Promise<void> {
  const { onReached, onLoggedIn, mayLogIn } = turn
  const { username, key, agent, password, hostKeys } = hop
  const { connectTimeoutMs, legacyAlgorithms, keepaliveIntervalMs, dialogueOf } = settings
  const login = new Authentication(hop, mayLogIn)
  let hostKeyRefusal: UploadError | undefined

  const ready = new Promise<void>((resolve, reject) => {
    const fail = (error?: SshError) => reject(hostKeyRefusal ?? connectionError(error, progress, login))
    client.on('ready', resolve)
    client.on('error', fail)
    // A server that hangs up before the login raises no error.
    client.on('close', () => fail())
    client.on('change password', () => {
      reject(
        new UploadError(
          'login',
          `${progress.place.doing}: the password of ${username} has expired\nThe server takes it only to set a new one.\nLog in by hand once to change it, then update the secret; or use a key, which does not expire.`
        )
      )
    })
  })
  if (password !== undefined) {
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
      finish(prompts.map(() => password))
    })
  }
  client.on('connect', () => (progress.stage = 'greeting'))
  client.once('connect', () => onReached?.())
  client.once('ready', () => heedSignsOfLife(client, keepaliveIntervalMs))
  client.once('ready', () => onLoggedIn?.())
  client.on('handshake', () => useKeyObjects(client))
  client.once('handshake', () => (progress.stage = 'logging-in'))
  client.connect({
    sock: stream,
    username,
    ...(key === undefined ? {} : { privateKey: key.key }),
    ...(agent === undefined ? {} : { agent: createLimitedAgent(agent.socket, connectTimeoutMs) }),
    ...(password === undefined ? {} : { password, tryKeyboard: true }),
    authHandler: login.next,
    // ssh2 takes a key for good unless the answer is exactly `false`.
    hostVerifier: (blob: Buffer) => {
      hostKeyRefusal = hostKeys.verify(blob)
      return hostKeyRefusal === undefined
    },
    algorithms: offeredAlgorithms(hostKeys.algorithms, legacyAlgorithms),
    readyTimeout: 0,
    keepaliveInterval: keepaliveIntervalMs,
    keepaliveCountMax: KEEPALIVES_UNANSWERED,
    ...(dialogueOf === undefined ? {} : { debug: dialogueOf(progress.place.doing) })
  })
  saveRoundTrips(client)
  // RFC 4253, section 4.2: a server may send lines before it names itself, so this only explains what fails.
  stream.once('data', (bytes: Buffer) => {
    const [line = ''] = bytes.toString('latin1').split(/[\r\n]/, 1)
    if (line.startsWith('SSH-')) progress.stage = 'logging-in'
    else progress.foreign = line.slice(0, FOREIGN_LINE)
  })
  await ready
}
