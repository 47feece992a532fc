import { EventEmitter, once } from 'node:events'
import { connect, createServer } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const sliceMs = 10
const catchUpMs = 50
const maxHeld = 256 * 1024
const maxHeldWithDelay = 16 * 1024 * 1024

/**
 * Starts a TCP proxy in front of `host:port` whose line can be cut, stopped, slowed down and delayed.
 * link.d.mts says what each control does. Bytes are counted from client to server, over all connections.
 */
export async function startLink({ port, host = '127.0.0.1' }) {
  const link = new Link({ port, host })
  await link.listen()
  return link
}

class Link {
  /** One-way limit from client to server, over all connections; undefined = full speed. */
  bytesPerSecond = undefined
  /** Added in each direction, so a round trip takes twice as long. */
  delayMs = 0
  /** New connections are reset. */
  refuse = false
  /** Bytes handed on from client to server so far. */
  sent = 0
  /** Connections accepted so far. */
  connections = 0

  #target
  #server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.#accept(client))
  #sockets = new Set()
  #paused = false
  #cutAt = Infinity
  #nextSlot = 0
  #events = new EventEmitter().setMaxListeners(0)

  constructor(target) {
    this.#target = target
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = this.#server.address().port
  }

  /** Resets every connection, on both sides. */
  cut() {
    this.#cutAt = Infinity
    for (const socket of this.#sockets) reset(socket)
    this.#events.emit('change')
    this.#events.emit('cut')
  }

  /** Resets every connection as soon as exactly `bytes` more have gone to the server; resolves at that moment. */
  async cutAfter(bytes) {
    this.#cutAt = this.sent + bytes
    const cut = once(this.#events, 'cut')
    if (bytes <= 0) this.cut()
    await cut
  }

  /** Nothing moves in either direction and nobody is told; new connections are accepted and stay silent. */
  pause() {
    this.#paused = true
  }

  resume() {
    this.#paused = false
    this.#events.emit('change')
  }

  /** Resolves when `bytes` in all have gone to the server. */
  async waitFor(bytes) {
    while (this.sent < bytes) await once(this.#events, 'sent')
  }

  async close() {
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #accept(client) {
    this.connections += 1
    client.on('error', () => {}) // 'close' follows; #pump sees it.
    if (this.refuse) {
      reset(client)
      return
    }
    const upstream = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    upstream.on('error', () => {})
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#events.emit('change')
      })
    }
    void this.#pump(client, upstream, slice => this.#toServer(upstream, slice))
    void this.#pump(upstream, client, slice => write(client, slice))
  }

  /** Carries `from` to `to`: each chunk leaves `delayMs` after it came in. */
  async #pump(from, to, deliver) {
    const line = new DelayLine(from, () => this.delayMs)
    for (;;) {
      const chunk = await line.take()
      await this.#flowing(to)
      if (to.destroyed) return
      if (chunk === undefined) break
      await deliver(chunk)
    }
    // In the dark this too waits: the other side does not learn that its peer is gone.
    if (from.readableEnded) to.end()
    else reset(to)
  }

  async #flowing(to) {
    while (this.#paused && !to.destroyed) await once(this.#events, 'change')
  }

  async #toServer(upstream, chunk) {
    for (let rest = chunk; rest.length > 0 && !upstream.destroyed;) {
      const slice = rest.subarray(0, Math.min(this.#sliceSize(), this.#cutAt - this.sent))
      await this.#slot(slice.length)
      await this.#flowing(upstream)
      // Another connection may have sent meanwhile.
      const permitted = slice.subarray(0, this.#cutAt - this.sent)
      if (upstream.destroyed) return
      this.sent += permitted.length
      rest = rest.subarray(permitted.length)
      const written = write(upstream, permitted)
      this.#events.emit('sent')
      if (this.sent >= this.#cutAt) this.cut()
      await written
    }
  }

  #sliceSize() {
    if (this.bytesPerSecond === undefined) return Infinity
    return Math.max(1, Math.floor((this.bytesPerSecond * sliceMs) / 1000))
  }

  /** Waits until the rate permits the next slice. */
  async #slot(bytes) {
    if (this.bytesPerSecond === undefined) return
    const now = performance.now()
    const slot = Math.max(now - catchUpMs, this.#nextSlot)
    this.#nextSlot = slot + (bytes / this.bytesPerSecond) * 1000
    if (slot > now) await sleep(slot - now)
  }
}

/** What a socket sent, with the time it came in. Reading stops while too much is held. */
class DelayLine {
  #socket
  #delayMs
  #chunks = []
  #held = 0
  #events = new EventEmitter()
  #ended = false

  constructor(socket, delayMs) {
    this.#socket = socket
    this.#delayMs = delayMs
    socket.on('data', chunk => {
      this.#chunks.push({ chunk, at: performance.now() })
      this.#held += chunk.length
      if (this.#held > this.#limit()) socket.pause()
      this.#events.emit('change')
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true
        this.#events.emit('change')
      })
    }
  }

  /** The next chunk, `delayMs` after it came in; undefined after the last. */
  async take() {
    while (this.#chunks.length === 0 && !this.#ended) await once(this.#events, 'change')
    const next = this.#chunks.shift()
    if (next === undefined) return undefined
    const due = next.at + this.#delayMs()
    // A timer may fire a little early.
    for (let now = performance.now(); now < due; now = performance.now()) await sleep(Math.ceil(due - now))
    this.#held -= next.chunk.length
    if (this.#held <= this.#limit()) this.#socket.resume()
    return next.chunk
  }

  #limit() {
    return this.#delayMs() > 0 ? maxHeldWithDelay : maxHeld
  }
}

function write(socket, chunk) {
  return new Promise(resolve => {
    if (socket.destroyed || socket.write(chunk)) return resolve()
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

/** A socket that is saying goodbye cannot be reset: Node would leave it open for good, and the process with it. */
function reset(socket) {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
