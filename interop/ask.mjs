import { once } from 'node:events'
import { posix } from 'node:path'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'
import { Capabilities } from '../lib/adapters/sftp/capabilities.js'

/** WRITE, CREAT and TRUNC of the draft. */
const CREATE_EMPTY = 0x1a

/**
 * What a server says of itself and how it takes what few uploads ask for, found as the action finds it.
 *
 * - `ident`: its name for itself. `posixRename`, `fsync`: whether it offers them. `statvfs`: whether it tells the space.
 * - `chunkSize`: bytes of one write request; `longestWrite`: those that ssh2 would send as one.
 * - `replaces`: whether a plain rename takes the place of a file that is there.
 */
export async function ask(server) {
  const client = new ssh2.Client()
  const [expected] = server.hostKey.split(' ').slice(1)
  client.on('error', () => {}) // Some say goodbye with one; `ready` or the requests tell the others.
  const ready = new Promise((resolve, reject) => client.on('ready', resolve).on('error', reject))
  client.connect({
    host: '127.0.0.1',
    port: server.program.port,
    username: server.username,
    privateKey: server.key,
    hostVerifier: key => key.toString('base64') === expected.trim()
  })
  await ready
  try {
    const sftp = await promisify(client.sftp.bind(client))()
    const { posixRename, fsync, statvfs, chunkSize, longestWrite } = new Capabilities(sftp, 'auto')
    return {
      ident: client._remoteVer,
      posixRename,
      fsync,
      statvfs: statvfs && (await tellsSpace(sftp, server.remote)),
      chunkSize,
      longestWrite,
      replaces: await replacesByRename(sftp, server.remote)
    }
  } finally {
    client.end()
    await once(client, 'close')
  }
}

async function tellsSpace(sftp, path) {
  try {
    await promisify(sftp.ext_openssh_statvfs.bind(sftp))(path)
    return true
  } catch {
    return false
  }
}

async function replacesByRename(sftp, directory) {
  const [from, to] = ['rename-from', 'rename-to'].map(name => posix.join(directory, name))
  for (const path of [from, to]) {
    const handle = await promisify(sftp.open.bind(sftp))(path, CREATE_EMPTY, {})
    await promisify(sftp.close.bind(sftp))(handle)
  }
  const replaces = await promisify(sftp.rename.bind(sftp))(from, to).then(
    () => true,
    () => false
  )
  for (const path of replaces ? [to] : [from, to]) await promisify(sftp.unlink.bind(sftp))(path)
  return replaces
}
