// SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02), the server's half.

/** The status codes that a test asks for or looks at (draft-ietf-secsh-filexfer-02 §7). */
export const status = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8
}

const statusText = {
  0: 'Success',
  1: 'End of file',
  2: 'No such file',
  3: 'Permission denied',
  4: 'Failure',
  5: 'Bad message',
  8: 'Operation unsupported'
}

const requestFields = {
  3: ['open', 'path:text', 'flags:u32', 'attrs'],
  4: ['close', 'handle:bytes'],
  5: ['read', 'handle:bytes', 'offset:u64', 'length:u32'],
  6: ['write', 'handle:bytes', 'offset:u64', 'data:bytes'],
  7: ['lstat', 'path:text'],
  8: ['fstat', 'handle:bytes'],
  9: ['setstat', 'path:text', 'attrs'],
  10: ['fsetstat', 'handle:bytes', 'attrs'],
  11: ['opendir', 'path:text'],
  12: ['readdir', 'handle:bytes'],
  13: ['remove', 'path:text'],
  14: ['mkdir', 'path:text', 'attrs'],
  15: ['rmdir', 'path:text'],
  16: ['realpath', 'path:text'],
  17: ['stat', 'path:text'],
  18: ['rename', 'path:text', 'newPath:text']
}

const extendedFields = {
  'posix-rename@openssh.com': ['posixRename', 'path:text', 'newPath:text'],
  'fsync@openssh.com': ['fsync', 'handle:bytes'],
  'statvfs@openssh.com': ['statvfs', 'path:text'],
  'copy-data': ['copyData', 'handle:bytes', 'offset:u64', 'length:u64', 'toHandle:bytes', 'toOffset:u64']
}

const initType = 1
const extendedType = 200
const maxPacket = 256 * 1024

/**
 * Cuts a channel's data into requests, in order. A request is `{op, id, …}` with the fields of its kind; one that
 * this server does not know is `{op: 'unknown', id}`. Throws when a packet is longer than OpenSSH permits.
 *
 * @param {AsyncIterable<Buffer>} chunks
 */
export async function* readRequests(chunks) {
  let buffered = Buffer.alloc(0)
  for await (const chunk of chunks) {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    let start = 0
    while (buffered.length - start >= 4) {
      const length = buffered.readUInt32BE(start)
      if (length > maxPacket) throw new Error(`SFTP packet of ${length} bytes, at most ${maxPacket} expected`)
      if (buffered.length - start - 4 < length) break
      yield parseRequest(buffered.subarray(start + 4, start + 4 + length))
      start += 4 + length
    }
    buffered = buffered.subarray(start)
  }
}

function parseRequest(packet) {
  const type = packet[0]
  if (type === initType) return { op: 'init', id: 0 }
  const fields = new Fields(packet, 1)
  const id = fields.u32()
  const layout = type === extendedType ? extendedFields[fields.text()] : requestFields[type]
  if (layout === undefined) return { op: 'unknown', id }
  const [op, ...names] = layout
  const request = { op, id }
  for (const field of names) {
    const [name, kind = name] = field.split(':')
    request[name] = fields[kind]()
  }
  return request
}

class Fields {
  constructor(packet, position) {
    this.packet = packet
    this.position = position
  }

  u32() {
    this.position += 4
    return this.packet.readUInt32BE(this.position - 4)
  }

  u64() {
    this.position += 8
    return Number(this.packet.readBigUInt64BE(this.position - 8))
  }

  bytes() {
    const length = this.u32()
    this.position += length
    return this.packet.subarray(this.position - length, this.position)
  }

  text() {
    return this.bytes().toString()
  }

  attrs() {
    const flags = this.u32()
    const attrs = {}
    if (flags & 1) attrs.size = this.u64()
    if (flags & 2) Object.assign(attrs, { uid: this.u32(), gid: this.u32() })
    if (flags & 4) attrs.mode = this.u32()
    if (flags & 8) Object.assign(attrs, { atime: this.u32(), mtime: this.u32() })
    return attrs
  }
}

/** The answer to INIT. ssh2's client asks only for the version of an extension that it knows. */
export function formatVersion(extensions) {
  const versions = { 'statvfs@openssh.com': '2' }
  return frame(2, u32(3), ...extensions.flatMap(name => [text(name), text(versions[name] ?? '1')]))
}

export function formatStatus(id, code, message = statusText[code] ?? `Status ${code}`) {
  return frame(101, u32(id), u32(code), text(message), text('en'))
}

export function formatHandle(id, handle) {
  return frame(102, u32(id), text(handle))
}

export function formatData(id, data) {
  return frame(103, u32(id), text(data))
}

/** `entries`: list of {name, stats?}; stats as node's fs gives them. */
export function formatNames(id, entries) {
  const names = entries.flatMap(({ name, stats }) => [
    text(name),
    text(name),
    stats === undefined ? u32(0) : attributes(stats)
  ])
  return frame(104, u32(id), u32(entries.length), ...names)
}

export function formatAttributes(id, stats) {
  return frame(105, u32(id), attributes(stats))
}

/** The answer to statvfs@openssh.com: eleven numbers (OpenSSH PROTOCOL §4.4); `fs` as node's statfs gives it. */
export function formatFileSystem(id, fs) {
  const numbers = [
    fs.bsize,
    fs.bsize,
    fs.blocks,
    fs.bfree,
    fs.bavail,
    fs.files,
    fs.ffree,
    fs.ffree,
    0,
    0,
    255
  ]
  return frame(201, u32(id), ...numbers.map(u64))
}

/** The answer to limits@openssh.com: bytes of a packet, a read and a write, and handles (OpenSSH PROTOCOL §4.8). */
export function formatLimits(id, limits) {
  return frame(201, u32(id), ...limits.map(u64))
}

function attributes(stats) {
  const seconds = milliseconds => u32(Math.floor(milliseconds / 1000))
  return Buffer.concat([
    u32(15),
    u64(stats.size),
    u32(stats.uid),
    u32(stats.gid),
    u32(stats.mode),
    seconds(stats.atimeMs),
    seconds(stats.mtimeMs)
  ])
}

function frame(type, ...parts) {
  const body = Buffer.concat([Buffer.of(type), ...parts])
  return Buffer.concat([u32(body.length), body])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([u32(bytes.length), bytes])
}

function u32(value) {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value >>> 0)
  return buffer
}

function u64(value) {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer
}
