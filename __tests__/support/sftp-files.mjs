import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join, posix } from 'node:path'
import {
  formatAttributes,
  formatData,
  formatFileSystem,
  formatHandle,
  formatNames,
  formatStatus,
  status
} from './sftp-wire.mjs'

const flag = { read: 0x01, write: 0x02, append: 0x04, create: 0x08, truncate: 0x10, exclusive: 0x20 }
const entriesPerAnswer = 100
const maxRead = 256 * 1024 - 1024

/** A request answered with this SFTP status instead of a result. */
class StatusError extends Error {
  constructor(code, message) {
    super(message ?? `status ${code}`)
    this.code = code
    this.text = message
  }
}

/** The connection ends here; no answer is sent. */
export class ConnectionCut extends Error {}

/**
 * The files of one SFTP channel, as OpenSSH's sftp-server treats them: handles, relative paths from `/`, status codes.
 * `server` is `{root, faults, stats, overwriteOnRename}`.
 */
export class SftpFiles {
  #handles = new Map()
  #nextHandle = 1

  constructor(server) {
    this.server = server
  }

  /** Does what the request asks and returns the packet that answers it. Throws only ConnectionCut. */
  async perform(request) {
    const { faults, stats } = this.server
    stats.requests[request.op] = (stats.requests[request.op] ?? 0) + 1
    try {
      const perform = operations[request.op]
      if (perform === undefined) throw new StatusError(status.unsupported)
      const refused = findRefusal(faults.refuse ?? {}, request)
      // A handle is gone after a refused close too.
      if (refused !== undefined && request.op === 'close') await this.close(request.handle)
      if (refused !== undefined) throw new StatusError(refused)
      return (await perform(this, request)) ?? formatStatus(request.id, status.ok)
    } catch (error) {
      if (error instanceof ConnectionCut) throw error
      const { code, text } = error instanceof StatusError ? error : { code: toStatus(error), text: undefined }
      return formatStatus(request.id, code, text)
    }
  }

  /** Closes what the client left open. */
  async closeAll() {
    for (const key of [...this.#handles.keys()]) await this.close(key)
  }

  /** The local path; `..` cannot leave the root, symbolic links can. */
  path(remote) {
    const { foldNames = name => name } = this.server.faults
    return join(this.server.root, posix.resolve('/', foldNames(remote)))
  }

  get openHandles() {
    return this.#handles.size
  }

  keep(open) {
    const key = String(this.#nextHandle++)
    this.#handles.set(key, open)
    return key
  }

  handle(bytes) {
    const open = this.#handles.get(String(bytes))
    if (open === undefined) throw new StatusError(status.failure, 'Invalid handle')
    return open
  }

  async close(bytes) {
    const open = this.handle(bytes)
    this.#handles.delete(String(bytes))
    await open.file?.close()
  }
}

const operations = {
  async open(files, { id, path, flags, attrs }) {
    const { faults } = files.server
    if (files.openHandles >= (faults.maxHandles ?? Infinity))
      throw new StatusError(status.failure, 'Too many open files')
    const truncates = faults.truncateOnReopen === true && (flags & flag.write) !== 0
    const mode = attrs.mode === undefined ? 0o666 : attrs.mode & 0o7777
    const file = await fs.open(files.path(path), toNodeFlags(truncates ? flags | flag.truncate : flags), mode)
    return formatHandle(id, files.keep({ file }))
  },

  async close(files, { handle }) {
    await files.close(handle)
  },

  async read(files, { id, handle, offset, length }) {
    const buffer = Buffer.allocUnsafe(Math.min(length, maxRead))
    const { bytesRead } = await files.handle(handle).file.read(buffer, 0, buffer.length, offset)
    if (bytesRead === 0) throw new StatusError(status.endOfFile)
    return formatData(id, buffer.subarray(0, bytesRead))
  },

  async write(files, { handle, offset, data }) {
    const { file } = files.handle(handle)
    const { faults, stats } = files.server
    // Lanes write at the same time, so the counts move before the first await.
    const untilCut = faults.cutAfterBytes ?? Infinity
    const fitting = data.subarray(0, untilCut)
    stats.bytesWritten += fitting.length
    if (faults.cutAfterBytes !== undefined) faults.cutAfterBytes -= fitting.length
    if (faults.silentAfterBytes !== undefined) faults.silentAfterBytes -= fitting.length
    await writeAll(file, fitting, offset)
    if (data.length >= untilCut) throw new ConnectionCut()
  },

  async copyData(files, { handle, offset, length, toHandle, toOffset }) {
    const from = files.handle(handle).file
    const to = files.handle(toHandle).file
    const buffer = Buffer.allocUnsafe(length)
    const { bytesRead } = await from.read(buffer, 0, length, offset)
    await writeAll(to, buffer.subarray(0, bytesRead), toOffset)
  },

  async stat(files, { id, path }) {
    return formatAttributes(id, await fs.stat(files.path(path)))
  },

  async lstat(files, { id, path }) {
    return formatAttributes(id, await fs.lstat(files.path(path)))
  },

  async fstat(files, { id, handle }) {
    return formatAttributes(id, await files.handle(handle).file.stat())
  },

  async setstat(files, { path, attrs }) {
    const local = files.path(path)
    if (attrs.size !== undefined) await fs.truncate(local, attrs.size)
    if (attrs.mode !== undefined) await fs.chmod(local, attrs.mode & 0o7777)
    if (attrs.mtime !== undefined) await fs.utimes(local, attrs.atime, attrs.mtime)
    if (attrs.uid !== undefined) await fs.chown(local, attrs.uid, attrs.gid)
  },

  async fsetstat(files, { handle, attrs }) {
    const { file } = files.handle(handle)
    if (attrs.size !== undefined) await file.truncate(attrs.size)
    if (attrs.mode !== undefined) await file.chmod(attrs.mode & 0o7777)
    if (attrs.mtime !== undefined) await file.utimes(attrs.atime, attrs.mtime)
    if (attrs.uid !== undefined) await file.chown(attrs.uid, attrs.gid)
  },

  async fsync(files, { handle }) {
    await files.handle(handle).file.sync()
  },

  async opendir(files, { id, path }) {
    const directory = files.path(path)
    const names = ['.', '..', ...(await fs.readdir(directory))]
    return formatHandle(id, files.keep({ directory, names }))
  },

  async readdir(files, { id, handle }) {
    const open = files.handle(handle)
    if (open.names === undefined) throw new StatusError(status.failure)
    const entries = []
    for (const name of open.names.splice(0, entriesPerAnswer)) {
      const stats = await fs.lstat(join(open.directory, name)).catch(() => undefined)
      if (stats !== undefined) entries.push({ name, stats })
    }
    if (entries.length === 0) throw new StatusError(status.endOfFile)
    return formatNames(id, entries)
  },

  async mkdir(files, { path, attrs }) {
    await fs.mkdir(files.path(path), attrs.mode === undefined ? 0o777 : attrs.mode & 0o7777)
  },

  async rmdir(files, { path }) {
    await fs.rmdir(files.path(path))
  },

  async remove(files, { path }) {
    await fs.unlink(files.path(path))
  },

  async rename(files, { path, newPath }) {
    const to = files.path(newPath)
    const free = files.server.overwriteOnRename || (await isMissing(to))
    if (!free) throw new StatusError(status.failure)
    await fs.rename(files.path(path), to)
  },

  async posixRename(files, { path, newPath }) {
    await fs.rename(files.path(path), files.path(newPath))
  },

  async realpath(files, { id, path }) {
    return formatNames(id, [{ name: posix.resolve('/', path) }])
  },

  async statvfs(files, { id, path }) {
    return formatFileSystem(id, await fs.statfs(files.path(path)))
  }
}

/** Opening for writing without CREAT has a name of its own, `reopen`, so that a test can refuse only that. */
function findRefusal(refuse, { op, flags }) {
  if (op === 'fsetstat') return refuse.setstat
  const reopens = op === 'open' && (flags & (flag.write | flag.create)) === flag.write
  return reopens ? (refuse.reopen ?? refuse.open) : refuse[op]
}

function toNodeFlags(flags) {
  const reads = (flags & flag.read) !== 0
  const writes = (flags & flag.write) !== 0
  let node = writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY
  if (flags & flag.append) node |= constants.O_APPEND
  if (flags & flag.create) node |= constants.O_CREAT
  if (flags & flag.truncate) node |= constants.O_TRUNC
  if (flags & flag.exclusive) node |= constants.O_EXCL
  return node
}

async function writeAll(file, data, offset) {
  for (let done = 0; done < data.length;) {
    const { bytesWritten } = await file.write(data, done, data.length - done, offset + done)
    done += bytesWritten
  }
}

async function isMissing(path) {
  try {
    await fs.lstat(path)
    return false
  } catch (error) {
    if (error.code === 'ENOENT') return true
    throw error
  }
}

/** OpenSSH's errno_to_portable (sftp-server.c); what it does not name is a plain failure. */
function toStatus(error) {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EBADF':
    case 'ELOOP':
      return status.noSuchFile
    case 'EPERM':
    case 'EACCES':
    case 'EFAULT':
      return status.permissionDenied
    case 'ENAMETOOLONG':
    case 'EINVAL':
      return status.badMessage
    case 'ENOSYS':
      return status.unsupported
    default:
      return status.failure
  }
}
