import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { isSilence } from './broken-by.js'
import { coalesceWrites } from './coalesce-writes.js'

/** How long a jump host may take to say goodbye. */
const GOODBYE_MS = 200

/**
 * A TCP connection from a jump host to the server, as a socket: it ends with its SSH connection, and takes that along
 * when it ends. What is written in one turn of the event loop goes to the jump host in one piece.
 */
export class JumpStream extends Duplex {
  constructor(
    private readonly channel: ClientChannel,
    private readonly client: Client,
    private readonly socket: Socket,
    /** For the reason of an end: `jump host bastion.example.com port 22`. */
    private readonly jump: string
  ) {
    super({ allowHalfOpen: false })
    coalesceWrites(this)
    channel.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) channel.pause()
    })
    channel.on('end', () => this.push(null))
    channel.on('close', () => this.destroy())
    let failure: Error | undefined
    client.on('error', error => (failure ??= error))
    client.on('close', () => {
      const reason = failure?.message ?? 'it closed the connection'
      const isSilent = failure !== undefined && isSilence(failure)
      this.destroy(Object.assign(new Error(`${jump}: ${reason}`), isSilent && { code: 'ENETRESET' }))
    })
  }

  override _read(): void {
    this.channel.resume()
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.channel.write(bytes, done)
  }

  override _writev(parts: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.channel.write(Buffer.concat(parts.map(({ chunk }) => chunk)), done)
  }

  override _final(done: () => void): void {
    this.channel.end()
    setTimeout(() => this.destroy(), GOODBYE_MS).unref()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.client.end()
    setTimeout(() => this.socket.destroy(), GOODBYE_MS).unref()
    done(error)
  }
}
