import type { Duplex } from 'node:stream'

/**
 * Makes a socket send everything that is written in one turn of the event loop with one system call. ssh2 writes each
 * SSH packet in three parts (length, body, tag), which without Nagle's algorithm would be three segments, two of them
 * of a few bytes.
 */
export function coalesceWrites(socket: Duplex): void {
  const write = socket.write.bind(socket)
  const coalesced = (...written: Parameters<typeof write>) => {
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    return write(...written)
  }
  socket.write = coalesced as typeof write
}
