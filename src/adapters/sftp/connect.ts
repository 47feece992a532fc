import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client, type ClientChannel, type SFTPWrapper } from 'ssh2'
import type { LoginTurn, Remote } from '../../engine/ports.js'
import { coalesceRequests } from './coalesce-requests.js'
import { endError, forwardError, sftpError, timeoutError } from './connection-errors.js'
import { dropAfterClose } from './drop-after-close.js'
import { type Hop, jumpPlaceOf, placeOf, type Place, type Progress } from './hop.js'
import { JumpStream } from './jump-stream.js'
import { refuseTinyPackets } from './least-packet.js'
import { logIn, type LoginSettings } from './log-in.js'
import { openSocket } from './open-socket.js'
import type { SshError } from './reason.js'
import { SftpSession } from './session.js'
import { spareCopies } from './spare-copies.js'

export interface ServerSettings extends Hop, LoginSettings {
  /** The SSH server through which this one is reached. */
  readonly jump: Hop | undefined
  readonly stallTimeoutMs: number
  readonly chunkSize: number | 'auto'
}

/** How long a server may take to say goodbye. */
const GOODBYE_MS = 500

/** One connection in the making: what there is to clean up when it comes to nothing. */
interface Opening {
  readonly settings: ServerSettings
  readonly turn: LoginTurn
  readonly progress: Progress
  readonly clients: Client[]
  readonly sockets: Socket[]
  /** Of the connection to the server, through the jump host where there is one. */
  roundTripMs: number
}

/**
 * Connects, through a jump host where there is one, proves each host's key before the login there, and opens an SFTP
 * session. Every session has a connection to the jump host of its own.
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
  const { jump } = settings
  const place = jump === undefined ? placeOf(settings, undefined) : jumpPlaceOf(jump)
  const opening: Opening = {
    settings,
    turn,
    progress: { place, stage: 'reaching', foreign: undefined },
    clients: [],
    sockets: [],
    roundTripMs: 0
  }
  try {
    const { client, sftp } = await within(opening, signal, openSftp(opening))
    const reset = () => {
      for (const socket of opening.sockets) if (!socket.destroyed) socket.resetAndDestroy()
    }
    const session = new SftpSession(client, sftp, settings, opening.roundTripMs, reset)
    // ssh2 only asks for an end; the process waits for no answer to it, which on a dark line nobody gives.
    void session.ended.then(() => {
      for (const socket of opening.sockets) {
        socket.unref()
        setTimeout(() => socket.destroy(), GOODBYE_MS).unref()
      }
    })
    return session
  } catch (error) {
    // What still fails on a client that is given up is nobody's business any more.
    for (const client of opening.clients) client.on('error', () => undefined)
    for (const socket of opening.sockets) socket.destroy()
    throw error
  }
}

async function openSftp(opening: Opening): Promise<{ client: Client; sftp: SFTPWrapper }> {
  const { settings, turn, progress, clients } = opening
  const { jump, host, port } = settings
  const stream = jump === undefined ? openTcp(opening, host, port) : await openJump(opening, jump)
  progress.place = placeOf(settings, jump)
  const client = new Client()
  clients.push(client)
  // At the jump host it has been its turn.
  const turnHere = jump === undefined ? turn : { onLoggedIn: turn.onLoggedIn }
  await logIn({ client, stream, hop: settings, progress, settings, turn: turnHere })
  refuseTinyPackets(client)
  dropAfterClose(client)
  progress.stage = 'opening'
  const sftp = await startSftp(client, progress.place)
  const flush = coalesceRequests(sftp)
  if (flush !== undefined) spareCopies(sftp, flush)
  return { client, sftp }
}

/** Logs in to the jump host and connects to the server from there; that says how far it has come, too. */
async function openJump(opening: Opening, jump: Hop): Promise<Duplex> {
  const { settings, turn, progress, clients } = opening
  const { onReached, mayLogIn } = turn
  const { place } = progress
  const stream = openTcp(opening, jump.host, jump.port)
  const client = new Client()
  clients.push(client)
  // The keepalives of the connection inside keep this one alive.
  const jumpSettings = { ...settings, keepaliveIntervalMs: 0 }
  await logIn({ client, stream, hop: jump, progress, settings: jumpSettings, turn: { onReached, mayLogIn } })
  refuseTinyPackets(client)
  const askedMs = performance.now()
  const channel = await forward(client, place, settings)
  opening.roundTripMs = performance.now() - askedMs
  progress.stage = 'reaching'
  return new JumpStream(channel, client, stream, `jump host ${jump.host} port ${jump.port}`)
}

function openTcp(opening: Opening, host: string, port: number): Socket {
  const socket = openSocket(host, port)
  opening.sockets.push(socket)
  let begunMs = 0
  // Of several addresses the last one that was tried.
  socket.on('connectionAttempt', () => (begunMs = performance.now()))
  socket.once('connect', () => (opening.roundTripMs = performance.now() - begunMs))
  return socket
}

function forward(client: Client, place: Place, { host, port }: ServerSettings): Promise<ClientChannel> {
  const target = `${host} port ${port}`
  return new Promise((resolve, reject) => {
    let failure: SshError | undefined
    client.on('error', error => (failure ??= error))
    client.on('close', () => reject(endError(failure, place)))
    client.forwardOut('127.0.0.1', 0, host, port, (error: SshError | undefined, channel) => {
      if (error) reject(forwardError(error, place, target))
      else resolve(channel)
    })
  })
}

function startSftp(client: Client, place: Place): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    // A server that breaks the rules need not hang up.
    client.on('error', error => reject(endError(error, place)))
    client.on('close', () => reject(endError(undefined, place)))
    client.sftp((error: SshError | undefined, sftp) => {
      if (error) reject(sftpError(error, place))
      else resolve(sftp)
    })
  })
}

/** The time begins anew when it is this connection's turn to log in: another one may have used it up. */
async function within<T>(opening: Opening, signal: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => undefined)
  const { settings, turn, progress } = opening
  const { connectTimeoutMs } = settings
  let cleanUp: () => void = () => undefined
  const stopped = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(timeoutError(progress, connectTimeoutMs / 1000)), connectTimeoutMs)
    let isOver = false
    // A timer that has run would run again.
    void turn.mayLogIn?.then(() => isOver || timer.refresh())
    const stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop)
    cleanUp = () => {
      clearTimeout(timer)
      isOver = true
      signal.removeEventListener('abort', stop)
    }
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    cleanUp()
  }
}
