import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { clearTimeout, setTimeout } from 'node:timers'
import ssh2 from 'ssh2'
import { ConnectionCut, SftpFiles } from './sftp-files.mjs'
import { formatVersion, readRequests } from './sftp-wire.mjs'

const { Server, utils } = ssh2
const methods = ['publickey', 'password', 'keyboard-interactive']
const maxHeldAnswers = 8
const holdMs = 5

/**
 * Starts an SFTP server in this process that serves the directory `root` as `/`, the login directory.
 *
 * ssh2's own SFTP server answers INIT with a fixed packet, so it cannot advertise an extension, and it does not wait
 * for slow writes. This one takes the raw subsystem channel, which ssh2's Server hands out as well, and speaks SFTP
 * itself: `extensions` are the names it advertises, and a slow disk holds the client back.
 *
 * Requests of one channel are done one after another, so writes reach the file in the order they were sent.
 * `faults` may change at any time; sftp-server.d.mts says what each does.
 */
export async function startSftpServer({
  root,
  host = '127.0.0.1',
  ident,
  hostKeys = [generateKeyPair().private],
  users = [{ username: 'deploy', password: 'secret' }],
  extensions = ['posix-rename@openssh.com', 'fsync@openssh.com', 'statvfs@openssh.com'],
  overwriteOnRename = false,
  faults = {}
}) {
  const server = {
    root,
    extensions,
    overwriteOnRename,
    faults,
    stats: { bytesWritten: 0, requests: {} },
    logins: [],
    channels: new Set()
  }
  let connections = 0
  const sockets = new Set()
  const ssh = new Server({ hostKeys, ...(ident === undefined ? {} : { ident }) })
  ssh.on('connection', (client, { port: clientPort }) => {
    const socket = [...sockets].find(candidate => candidate.remotePort === clientPort)
    serveClient(server, users, client, { socket, cut: false })
  })
  const listener = createServer(socket => {
    connections += 1
    if (faults.refuseConnections === true || sockets.size >= (faults.maxConnections ?? Infinity)) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => sockets.delete(socket))
    ssh.injectSocket(socket)
  })
  listener.listen(0, host)
  await once(listener, 'listening')

  const publicKeys = hostKeys.map(key => utils.parseKey(key))
  const { port } = listener.address()
  const formatKnownHosts = atPort => publicKeys.map(key => `[${host}]:${atPort} ${toOpenSsh(key)}\n`).join('')
  return {
    root,
    host,
    port,
    knownHosts: formatKnownHosts(port),
    formatKnownHosts,
    faults,
    stats: server.stats,
    logins: server.logins,
    get connections() {
      return connections
    },
    get openChannels() {
      return server.channels.size
    },
    dropConnections() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      const closed = new Promise(resolve => listener.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
      await Promise.all(server.channels)
    }
  }
}

/**
 * An ed25519 key pair in OpenSSH form. ssh2 1.17 drops a leading zero byte of the public key (keygen.js), so that one
 * pair in 256 cannot be read back; this tries again.
 */
export function generateKeyPair() {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519')
    const [signer, verifier] = [utils.parseKey(pair.private), utils.parseKey(pair.public)]
    if (signer instanceof Error || verifier instanceof Error) continue
    if (verifier.verify('probe', signer.sign('probe')) === true) return pair
  }
}

function toOpenSsh(key) {
  return `${key.type} ${key.getPublicSSH().toString('base64')}`
}

function serveClient(server, users, client, connection) {
  const proofs = []
  client.on('error', () => {}) // A client that goes away is the purpose of most tests.
  client.on('authentication', context => {
    const { method, username } = context
    const inOrder = users.find(user => user.username === username)?.inOrder
    const decide = accepted => {
      server.logins.push({ method, username, accepted })
      if (accepted) proofs.push(method)
      const [wanted] = inOrder?.slice(proofs.length) ?? []
      if (accepted && wanted === undefined) context.accept()
      else context.reject(wanted === undefined ? methods : [wanted], accepted)
    }
    if (inOrder === undefined || inOrder[proofs.length] === method) checkLogin(users, context, decide)
    else decide(false)
  })
  // ssh2 has no way to ask for other sizes.
  const { _protocol: protocol } = client
  const confirm = protocol.channelOpenConfirm.bind(protocol)
  protocol.channelOpenConfirm = (remote, local, window, packetSize) =>
    confirm(remote, local, window, server.faults.packetSize ?? packetSize)
  client.on('tcpip', (accept, _reject, { destIP, destPort }) => {
    const onward = connect(destPort, destIP)
    const channel = accept()
    channel.pipe(onward).pipe(channel)
    onward.on('error', () => channel.close())
    channel.on('error', () => {})
    channel.on('close', () => onward.destroy())
  })
  client.on('session', accept => {
    const session = accept()
    session.on('exec', (acceptExec, rejectExec, { command }) => {
      if (server.faults.exec === undefined) rejectExec()
      else server.faults.exec(command, acceptExec())
    })
    session.on('subsystem', (acceptSubsystem, rejectSubsystem, { name }) => {
      if (name !== 'sftp') return rejectSubsystem()
      const served = serveChannel(server, acceptSubsystem(), connection)
      server.channels.add(served)
      void served.then(() => server.channels.delete(served))
    })
  })
}

function checkLogin(users, context, decide) {
  const user = users.find(({ username }) => username === context.username)
  switch (context.method) {
    case 'password':
      return decide(user?.password !== undefined && isSame(user.password, context.password))
    case 'publickey': {
      const key = (user?.publicKeys ?? [])
        .map(text => utils.parseKey(text))
        .find(candidate => isSame(candidate.getPublicSSH(), context.key.data))
      // Without a signature the client only asks whether this key would do.
      if (key !== undefined && context.signature === undefined) return context.accept()
      return decide(
        key !== undefined && key.verify(context.blob, context.signature, context.hashAlgo) === true
      )
    }
    case 'keyboard-interactive': {
      const expected = user?.keyboardInteractive
      if (expected === undefined) return decide(false)
      const prompts = expected.map((_, index) => ({ prompt: `Question ${index + 1}: `, echo: false }))
      return context.prompt(prompts, answers =>
        decide(Array.isArray(answers) && expected.every((answer, index) => answers[index] === answer))
      )
    }
    default:
      return decide(false)
  }
}

function isSame(expected, given) {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

async function serveChannel(server, channel, connection) {
  const { faults } = server
  const files = new SftpFiles(server)
  const answers = new Answers(faults, channel, connection.socket)
  channel.on('error', () => {})
  try {
    for await (const request of readRequests(channel)) {
      if (connection.cut) break
      if ((faults.silentAfterBytes ?? Infinity) <= 0) continue
      const honest = request.op === 'init' ? formatVersion(server.extensions) : await files.perform(request)
      for (const packet of faults.forge?.(request, honest) ?? [honest]) {
        if (answers.closed) break
        answers.send(packet, request.op)
        await answers.drained()
      }
    }
  } catch (error) {
    // Anything else is a channel that ended in the middle, or nonsense on it: both end the channel.
    if (error instanceof ConnectionCut && !connection.cut) {
      connection.cut = true
      faults.cutAfterBytes = undefined
      connection.socket.destroy()
    }
  } finally {
    await files.closeAll()
    channel.end()
  }
}

/** What goes back to the client: late or in another order when a fault says so. */
class Answers {
  #faults
  #channel
  #closed
  #held = []
  #release
  closed = false

  constructor(faults, channel, socket) {
    this.#faults = faults
    this.#channel = channel
    // A channel that nobody reads does not close with its connection.
    this.#closed = new Promise(resolve => [channel, socket].map(stream => stream.once('close', resolve)))
    void this.#closed.then(() => {
      this.closed = true
      clearTimeout(this.#release)
    })
  }

  send(packet, op) {
    if (this.#faults.reorderAcks === true && op === 'write') {
      this.#hold(packet)
    } else {
      this.#releaseHeld()
      this.#write(packet)
    }
  }

  /** Resolves when the client has taken enough of what was sent, or the channel has closed. */
  async drained() {
    if (this.#channel.writableNeedDrain) await Promise.race([once(this.#channel, 'drain'), this.#closed])
  }

  #hold(packet) {
    this.#held.push(packet)
    clearTimeout(this.#release)
    if (this.#held.length >= maxHeldAnswers) this.#releaseHeld()
    else this.#release = setTimeout(() => this.#releaseHeld(), holdMs)
  }

  #releaseHeld() {
    clearTimeout(this.#release)
    for (const packet of this.#held.splice(0).reverse()) this.#write(packet)
  }

  #write(packet) {
    const { delayMs = 0 } = this.#faults
    if (delayMs === 0) this.#channel.write(packet)
    else setTimeout(() => this.#channel.write(packet), delayMs)
  }
}
