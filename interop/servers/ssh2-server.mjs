// A server of ssh2 over node:fs, as people write them: PORT HOST_KEY AUTHORIZED_KEYS. Requests are done at once, so writes
// end, and are answered, in any order.
import { readFileSync } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rmdir, stat, unlink, utimes, chmod } from 'node:fs/promises'
import ssh2 from 'ssh2'

const { Server, utils } = ssh2
const { STATUS_CODE, flagsToString } = utils.sftp
const [port, hostKey, authorizedKeys] = process.argv.slice(2)
const accepted = utils.parseKey(readFileSync(authorizedKeys)).getPublicSSH()

const server = new Server({ hostKeys: [readFileSync(hostKey)] }, client => {
  client.on('error', () => {}) // A client that goes away is the purpose of most tests.
  client.on('authentication', context => {
    const isKnown = context.method === 'publickey' && accepted.equals(context.key.data)
    if (!isKnown) context.reject(['publickey'])
    else if (context.signature === undefined) context.accept()
    else if (utils.parseKey(readFileSync(authorizedKeys)).verify(context.blob, context.signature) === true)
      context.accept()
    else context.reject(['publickey'])
  })
  client.on('session', accept => accept().on('sftp', acceptSftp => serve(acceptSftp())))
})
server.listen(Number(port), '127.0.0.1')

function serve(sftp) {
  const handles = new Map()
  let last = 0
  const keep = handle => {
    const id = Buffer.alloc(4)
    id.writeUInt32BE((last += 1))
    handles.set(last, handle)
    return id
  }
  const at = id => handles.get(id.readUInt32BE())
  const answer = (event, act) =>
    sftp.on(event, (request, ...values) => {
      act(request, ...values).then(
        () => undefined,
        error => sftp.status(request, codeOf(error), error.message)
      )
    })
  const done = (event, act) =>
    answer(event, async (request, ...values) => {
      await act(...values)
      sftp.status(request, STATUS_CODE.OK)
    })

  answer('OPEN', async (request, path, flags, { mode }) => {
    // flagsToString has no word for write alone.
    const handle = await open(path, flags === 2 ? 'r+' : flagsToString(flags), mode)
    sftp.handle(request, keep(handle))
  })
  answer('OPENDIR', async (request, path) => sftp.handle(request, keep({ path, names: await readdir(path) })))
  answer('READDIR', async (request, id) => {
    const directory = at(id)
    const names = directory.names.splice(0, 100)
    if (names.length === 0) return sftp.status(request, STATUS_CODE.EOF)
    const entries = names.map(async name => {
      const attrs = await lstat(`${directory.path}/${name}`)
      return { filename: name, longname: name, attrs: toAttributes(attrs) }
    })
    sftp.name(request, await Promise.all(entries))
  })
  answer('READ', async (request, id, offset, length) => {
    const { bytesRead, buffer } = await at(id).read(Buffer.alloc(length), 0, length, offset)
    if (bytesRead === 0) sftp.status(request, STATUS_CODE.EOF)
    else sftp.data(request, buffer.subarray(0, bytesRead))
  })
  done('WRITE', (id, offset, bytes) => at(id).write(bytes, 0, bytes.length, offset))
  done('CLOSE', async id => {
    const handle = at(id)
    handles.delete(id.readUInt32BE())
    await handle.close?.()
  })
  answer('FSTAT', async (request, id) => sftp.attrs(request, toAttributes(await at(id).stat())))
  answer('STAT', async (request, path) => sftp.attrs(request, toAttributes(await stat(path))))
  answer('LSTAT', async (request, path) => sftp.attrs(request, toAttributes(await lstat(path))))
  done('SETSTAT', async (path, { mode, atime, mtime }) => {
    if (mode !== undefined) await chmod(path, mode)
    if (mtime !== undefined) await utimes(path, atime, mtime)
  })
  done('REMOVE', path => unlink(path))
  done('RENAME', (from, to) => rename(from, to))
  done('MKDIR', path => mkdir(path))
  done('RMDIR', path => rmdir(path))
  sftp.on('close', () => {
    for (const handle of handles.values()) void handle.close?.()
    handles.clear()
  })
}

function codeOf({ code }) {
  switch (code) {
    case 'ENOENT':
      return STATUS_CODE.NO_SUCH_FILE
    case 'EACCES':
    case 'EPERM':
      return STATUS_CODE.PERMISSION_DENIED
    default:
      return STATUS_CODE.FAILURE
  }
}

function toAttributes({ mode, uid, gid, size, atimeMs, mtimeMs }) {
  const seconds = milliseconds => Math.floor(milliseconds / 1000)
  return { mode, uid, gid, size, atime: seconds(atimeMs), mtime: seconds(mtimeMs) }
}
