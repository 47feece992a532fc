import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { startLink } from '../__tests__/support/link.mjs'

/** A port for good, behind which one link to the server after the other stands: an old one can stay in the dark. */
export async function openLine(port) {
  let link = await startLink({ port })
  const links = [link]
  const sockets = new Set()
  const sent = []
  let atOnce = 0
  const front = createServer(client => {
    const upstream = connect(link.port, '127.0.0.1')
    const connection = sent.push(0) - 1
    atOnce = Math.max(atOnce, sockets.size / 2 + 1)
    client.on('data', bytes => (sent[connection] += bytes.length))
    for (const [from, to] of [
      [client, upstream],
      [upstream, client]
    ]) {
      sockets.add(from)
      from.setNoDelay(true)
      from.pipe(to)
      from.on('error', () => {}) // 'close' follows.
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  return {
    port: front.address().port,
    /** Bytes to the server, by connection. */
    sent,
    /** The most connections that there were at a time. */
    get atOnce() {
      return atOnce
    },
    get link() {
      return link
    },
    /** New connections go over a new link. Returns the old one, with what is on it. */
    async renew() {
      const old = link
      link = await startLink({ port })
      links.push(link)
      return old
    },
    async close() {
      const closed = once(front, 'close')
      front.close()
      for (const socket of sockets) socket.destroy()
      for (const opened of links) await opened.close()
      await closed
    }
  }
}
