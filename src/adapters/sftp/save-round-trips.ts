import type { Client } from 'ssh2'

/** What ssh2 keeps to itself: its protocol's message handlers (lib/client.js) and the SFTP session in the making. */
interface Internals {
  readonly _protocol?: Protocol
  readonly _chanMgr?: { get(channel: number): unknown }
}

interface Protocol {
  readonly _handlers: Record<string, ((protocol: Protocol, ...values: never[]) => void) | undefined>
  readonly _packetRW: { readonly write: PacketWriter }
  readonly _cipher: { encrypt(packet: Uint8Array): void }
  requestSuccess(): void
  authPK(username: string, key: { isPrivateKey?(): boolean }, algorithm: string, sign?: unknown): void
}

interface PacketWriter {
  readonly allocStart: number
  alloc(length: number): Uint8Array
  finalize(packet: Uint8Array): Uint8Array
}

/** SSH_MSG_IGNORE with no data (RFC 4253, section 11.2). */
const IGNORE = [2, 0, 0, 0, 0]

/**
 * Makes ssh2 send what it can send without waiting for an answer that changes nothing; to be called after
 * `client.connect`. Three round trips less until the first request, of eleven. Each step is within the protocol, and
 * is left out where ssh2 looks different.
 */
export function saveRoundTrips(client: Client): void {
  const { _protocol: protocol } = client as unknown as Internals
  if (protocol === undefined) return
  logInBehindServiceRequest(protocol)
  askForNoHostKeys(protocol)
  signAtOnce(protocol)
  beReadyBeforeLimits(client, protocol)
}

/**
 * The login follows the request for the service that takes it: servers that say which signatures they take (RFC 8308)
 * do so right after the key exchange, and then nothing is missing for the login.
 */
function logInBehindServiceRequest({ _handlers: handlers }: Protocol): void {
  const { EXT_INFO: extInfo, SERVICE_ACCEPT: accept } = handlers
  if (extInfo === undefined || accept === undefined) return
  let isAccepted = false
  handlers.SERVICE_ACCEPT = (protocol, ...values) => {
    if (isAccepted) acknowledge(protocol)
    else accept(protocol, ...values)
    isAccepted = true
  }
  handlers.EXT_INFO = (protocol, ...values) => {
    extInfo(protocol, ...values)
    if (isAccepted) return
    isAccepted = true
    accept(protocol, 'ssh-userauth' as never)
  }
}

/**
 * Servers use Nagle's algorithm until a session runs: a short answer waits until the one before it is acknowledged,
 * and where there is nothing else to send, the system puts that off by 40 ms.
 */
function acknowledge({ _packetRW: { write }, _cipher: cipher }: Protocol): void {
  const start = write.allocStart
  const packet = write.alloc(IGNORE.length)
  packet.set(IGNORE, start)
  cipher.encrypt(write.finalize(packet))
}

/** ssh2 has the server prove all its host keys, for nobody. */
function askForNoHostKeys({ _handlers: handlers }: Protocol): void {
  const { GLOBAL_REQUEST: request } = handlers
  if (request === undefined) return
  handlers.GLOBAL_REQUEST = (protocol, ...values) => {
    const [name, wantsReply] = values as unknown as [string, boolean]
    if (name !== 'hostkeys-00@openssh.com') request(protocol, ...values)
    else if (wantsReply) protocol.requestSuccess()
    else acknowledge(protocol)
  }
}

/** RFC 4252, section 7: asking whether a key would do is for those who have to be asked for a passphrase. */
function signAtOnce(protocol: Protocol): void {
  const ask = protocol.authPK.bind(protocol)
  protocol.authPK = (username, key, algorithm, sign) => {
    const { USERAUTH_PK_OK: signAndSend } = protocol._handlers
    if (sign === undefined && key.isPrivateKey?.() === true && signAndSend !== undefined)
      signAndSend(protocol)
    else ask(username, key, algorithm, sign)
  }
}

/** The server's limits are needed for the first write only: `Capabilities` go by what is legal everywhere until then. */
function beReadyBeforeLimits(client: Client, { _handlers: handlers }: Protocol): void {
  const { CHANNEL_OPEN_CONFIRMATION: confirm } = handlers
  if (confirm === undefined) return
  handlers.CHANNEL_OPEN_CONFIRMATION = (protocol, ...values) => {
    confirm(protocol, ...values)
    const [{ recipient }] = values as unknown as [{ recipient: number }]
    const sftp = (client as unknown as Internals)._chanMgr?.get(recipient)
    if (!isSftp(sftp)) return
    let extensions = sftp._extensions
    // Set when the server's version has come, before its limits are asked for.
    Object.defineProperty(sftp, '_extensions', {
      get: () => extensions,
      set: value => {
        extensions = value as typeof extensions
        queueMicrotask(() => sftp.emit('ready'))
      }
    })
  }
}

interface Sftp {
  _extensions: Readonly<Record<string, string>>
  emit(event: 'ready'): void
}

function isSftp(channel: unknown): channel is Sftp {
  return typeof channel === 'object' && channel !== null && '_extensions' in channel
}
