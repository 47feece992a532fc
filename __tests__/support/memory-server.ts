import { createHash } from 'node:crypto'
import type { ByteRange } from '../../src/core/blocks.js'
import { toUploadError, UploadError, type ErrorCode } from '../../src/core/errors.js'
import type { RemoteKind } from '../../src/core/extraneous.js'
import type { RemoteStat } from '../../src/core/resume.js'
import type { LoginTurn, Remote, RemoteEntry, RemoteFile } from '../../src/engine/ports.js'
import { randomOf } from './memory-bytes.js'
import type { MemoryClock } from './memory-clock.js'

export type Operation =
  | 'connect'
  | 'stat'
  | 'kindOf'
  | 'list'
  | 'makeDirectory'
  | 'create'
  | 'reopen'
  | 'openForReading'
  | 'replace'
  | 'rename'
  | 'copy'
  | 'remove'
  | 'removeDirectory'
  | 'setAttributes'
  | 'sha256'
  | 'freeBytes'
  | 'write'
  | 'read'
  | 'fstat'
  | 'sync'
  | 'close'

export interface ServerRequest {
  readonly operation: Operation
  readonly path: string
  /** The number of the session, from 1. */
  readonly session: number
  readonly bytes: number
}

/** What goes wrong, once or more often, at a request. */
export interface Fault {
  /** Absent: any request. */
  readonly on?: Operation | readonly Operation[] | undefined
  readonly path?: RegExp
  readonly session?: number
  /** As many such requests come through first. */
  readonly after?: number
  /** As many bytes of such requests come through first. */
  readonly afterBytes?: number
  /** How often it happens; once. */
  readonly times?: number
  /** `cut`: the session ends; `cut-all`: every session; `silence`: it answers no more; a code: it refuses. */
  readonly then: 'cut' | 'cut-all' | 'silence' | ErrorCode
  /** The request takes effect all the same: only its answer is lost, or wrong. */
  readonly takesEffect?: boolean
}

/** What kind of server it is. */
export interface ServerTraits {
  seed: number
  chunkSize: number
  window: number
  maxOpenFiles: number
  /** Handles that it lets a session open, which only its refusals tell. */
  handlesOfSession: number
  /** The same of all sessions together. */
  handlesOfAll: number
  canReplace: boolean
  canCopy: boolean
  /** Plain rename replaces an existing file. */
  renameReplaces: boolean
  sha256: 'none' | 'right' | 'wrong'
  /** What happens to a file that is opened for writing again: `zeroes` keeps the size. */
  reopen: 'keeps' | 'empties' | 'zeroes'
  /** Bytes of all files together. */
  capacity: number
  /** What it says of its free space; `undefined`: nothing. */
  freeBytes: number | undefined
  /** Other file systems below: their directories, and what is free in them. */
  freeBytesBelow: Readonly<Record<string, number>>
  /** The first write that the full disk cuts short is acknowledged. */
  acksShortWrite: boolean
  /** How long a request, and an answer, take; the jitter comes on top, drawn anew each time. */
  latencyMs: number
  jitterMs: number
  connectMs: number
  /** These do not wait for the requests before them, except for a sync. */
  overtaking: readonly Operation[]
  /** Answers come in any order. */
  shufflesAnswers: boolean
  /**
   * Requests of a session that died: dropped, or carried out that much later. Not a plain rename: one that moves an
   * old file aside would take the new one away, and no client could help it.
   */
  lateMs: number | undefined
  /** Late writes go to whatever has the path then. */
  lateToPath: boolean
  /** A session's end is known only after its requests failed. */
  endsLate: boolean
  /** Unfinished files of a session that died are removed. */
  removesUnfinished: boolean
  ignoresAttributes: boolean
  stallTimeoutMs: number
}

const TYPICAL: ServerTraits = {
  seed: 1,
  chunkSize: 256 * 1024,
  window: 1024 * 1024,
  maxOpenFiles: Infinity,
  handlesOfSession: Infinity,
  handlesOfAll: Infinity,
  canReplace: true,
  canCopy: false,
  renameReplaces: false,
  sha256: 'none',
  reopen: 'keeps',
  capacity: Infinity,
  freeBytes: undefined,
  freeBytesBelow: {},
  acksShortWrite: false,
  latencyMs: 5,
  jitterMs: 0,
  connectMs: 20,
  overtaking: [],
  shufflesAnswers: false,
  lateMs: undefined,
  lateToPath: false,
  endsLate: false,
  removesUnfinished: false,
  ignoresAttributes: false,
  stallTimeoutMs: 60_000
}

class Inode {
  private buffer = Buffer.alloc(0)
  private length = 0
  mtime = 0
  mode = 0o644
  /** Bytes on the disk; what is written twice counts twice. */
  allocated = 0

  get size(): number {
    return this.length
  }

  /** A view: what is written later shows. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length
    if (end > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.buffer.length, 4096))
      this.bytes.copy(larger)
      this.buffer = larger
    }
    this.buffer.set(bytes, offset)
    this.allocated += bytes.length
    this.length = Math.max(this.length, end)
  }

  truncate(size: number): void {
    this.buffer.fill(0, size, this.length)
    this.length = size
    this.allocated = size
  }
}

/** A server in memory: files, directories, sessions, and faults that are fields. */
export class MemoryServer {
  readonly traits: ServerTraits
  readonly files = new Map<string, Inode>()
  readonly directories = new Set(['', '/'])
  /** Of the directories that were made here. */
  readonly directoryModes = new Map<string, number>()
  /** Bits that it takes away from what it makes. */
  umask = 0
  /** Symbolic links, and the absolute or relative-to-login paths that they lead to. */
  readonly links = new Map<string, string>()
  readonly faults: Fault[] = []
  /** Everything that was asked and reached the server, in order. */
  readonly log: ServerRequest[] = []
  readonly sessions: MemorySession[] = []
  /** Called when a request reached the server, before it is carried out. */
  onRequest: (request: ServerRequest, count: number) => void = () => undefined
  /** Called after the file at a path became another one, or other bytes; `undefined`: it is gone. */
  onChange: (path: string, bytes: Buffer | undefined) => void = () => undefined
  readonly random: () => number
  private readonly counts = new Map<Fault, { requests: number; bytes: number; times: number }>()
  private shortWrites = 0

  constructor(
    readonly clock: MemoryClock,
    traits: Partial<ServerTraits> = {}
  ) {
    this.traits = { ...TYPICAL, ...traits }
    this.random = randomOf(this.traits.seed)
  }

  readonly connect = (signal: AbortSignal, turn: LoginTurn = {}): Promise<MemorySession> =>
    new Promise((resolve, reject) => {
      const stop = () => {
        cancel()
        reject(signal.reason as Error)
      }
      const cancel = this.clock.after(this.traits.connectMs + this.jitter(), () => {
        signal.removeEventListener('abort', stop)
        const number = this.sessions.length + 1
        const fault = this.faultAt({ operation: 'connect', path: '', session: number, bytes: 0 })
        if (fault === undefined) {
          const session = new MemorySession(this, number)
          this.sessions.push(session)
          turn.onReached?.()
          void (turn.mayLogIn ?? Promise.resolve()).then(() => {
            turn.onLoggedIn?.()
            this.clock.after(1, () => resolve(session))
          })
        } else {
          const code = isCode(fault.then) ? fault.then : 'connection-lost'
          reject(new UploadError(code, 'connect: refused'))
        }
      })
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
    })

  get living(): MemorySession[] {
    return this.sessions.filter(session => session.endedWith === undefined)
  }

  cutAll(): void {
    for (const session of this.living) session.lose(new UploadError('connection-lost', 'cut'))
  }

  /** Puts a file there as if it had always been. */
  put(path: string, bytes: Uint8Array, mtime = Math.floor(this.clock.now() / 1000) - 86_400): Inode {
    const inode = new Inode()
    inode.write(bytes, 0)
    inode.mtime = mtime
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      this.directories.add(path.slice(0, at))
    }
    this.files.set(path, inode)
    return inode
  }

  bytesOf(path: string): Buffer | undefined {
    return this.files.get(path)?.bytes
  }

  /** The names of everything in the directory, sorted. */
  names(directory: string): string[] {
    const prefix = directory === '' ? '' : `${directory}/`
    const paths = [...this.files.keys(), ...this.directories, ...this.links.keys()].filter(path =>
      path.startsWith(prefix)
    )
    const names = paths
      .map(path => path.slice(prefix.length))
      .filter(name => name !== '' && !name.includes('/'))
    return names.sort()
  }

  partsOf(path: string): string[] {
    return [...this.files.keys()].filter(other => other.startsWith(`${path}.`)).sort()
  }

  requests(operation: Operation): ServerRequest[] {
    return this.log.filter(request => request.operation === operation)
  }

  writtenBytes(): number {
    return this.requests('write').reduce((sum, { bytes }) => sum + bytes, 0)
  }

  jitter(): number {
    const { jitterMs } = this.traits
    return jitterMs === 0 ? 0 : Math.floor(this.random() * (jitterMs + 1))
  }

  /** Notes the request; the fault that strikes it. */
  faultAt(request: ServerRequest): Fault | undefined {
    this.log.push(request)
    this.onRequest(request, this.log.length)
    let striking: Fault | undefined
    for (const fault of this.faults) {
      if (!matches(fault, request)) continue
      const count = this.counts.get(fault) ?? { requests: 0, bytes: 0, times: 0 }
      this.counts.set(fault, count)
      count.requests++
      count.bytes += request.bytes
      const isDue = count.requests > (fault.after ?? 0) && count.bytes > (fault.afterBytes ?? -1)
      if (striking !== undefined || !isDue || count.times >= (fault.times ?? 1)) continue
      count.times++
      striking = fault
    }
    return striking
  }

  stat(path: string): RemoteStat | undefined {
    const inode = this.files.get(this.real(path))
    if (inode !== undefined) return statOf(inode)
    if (!this.directories.has(this.real(path))) return undefined
    const mode = 0o40000 | (this.directoryModes.get(this.real(path)) ?? 0o755)
    return { size: 4096, mtime: 0, mode, isDirectory: true }
  }

  kindOf(path: string): RemoteKind | undefined {
    if (this.links.has(path)) return 'symlink'
    if (this.files.has(path)) return 'file'
    return this.directories.has(path) ? 'directory' : undefined
  }

  list(link: string): RemoteEntry[] {
    const path = this.real(link)
    if (!this.directories.has(path)) throw refusal('not-found', `list ${path}`)
    return this.names(path).map(name => {
      const inode = this.files.get(path === '' ? name : `${path}/${name}`)
      return { name, mtime: inode?.mtime ?? 0 }
    })
  }

  makeDirectory(path: string, mode = 0o777): void {
    if (this.stat(path) !== undefined) throw refusal('server-failure', `make the directory ${path}`)
    this.checkParent(path)
    this.directories.add(path)
    const setgid = (this.directoryModes.get(path.slice(0, Math.max(0, path.lastIndexOf('/')))) ?? 0) & 0o2000
    this.directoryModes.set(path, (mode & ~this.umask) | setgid)
  }

  create(path: string, mode: number | undefined): Inode {
    this.checkParent(path)
    if (this.directories.has(path)) throw refusal('server-failure', `open ${path}`)
    const inode = this.files.has(path) ? this.openForWriting(path) : new Inode()
    inode.truncate(0)
    inode.mode = mode === undefined ? 0o644 : mode & ~this.umask
    this.touch(inode)
    this.files.set(path, inode)
    this.onChange(path, inode.bytes)
    return inode
  }

  reopen(path: string): Inode {
    const inode = this.openForWriting(path)
    const { reopen } = this.traits
    if (reopen === 'empties') inode.truncate(0)
    if (reopen === 'zeroes') inode.bytes.fill(0)
    if (reopen !== 'keeps') this.onChange(path, inode.bytes)
    return inode
  }

  /** As for a user who is not root. */
  private openForWriting(path: string): Inode {
    const inode = this.open(path)
    if ((inode.mode & 0o200) === 0) throw refusal('permission', `open ${path}`)
    return inode
  }

  open(path: string): Inode {
    const inode = this.files.get(path)
    if (inode === undefined) throw refusal('not-found', `open ${path}`)
    return inode
  }

  rename(from: string, to: string, replaces: boolean): void {
    const inode = this.files.get(from)
    if (inode === undefined) throw refusal('not-found', `rename ${from}`)
    this.checkParent(to)
    if (this.directories.has(to) || (this.files.has(to) && !replaces))
      throw refusal('server-failure', `rename to ${to}`)
    this.files.delete(from)
    this.files.set(to, inode)
    this.onChange(from, undefined)
    this.onChange(to, inode.bytes)
  }

  remove(path: string): void {
    if (this.links.delete(path)) return
    if (this.directories.has(path)) throw refusal('server-failure', `remove ${path}`)
    if (this.files.delete(path)) this.onChange(path, undefined)
  }

  removeDirectory(path: string): void {
    if (this.names(path).length > 0) throw refusal('server-failure', `remove the directory ${path}`)
    this.directories.delete(path)
  }

  setAttributes(path: string, { mode, mtime }: { mode?: number; mtime?: number }): void {
    if (this.traits.ignoresAttributes) return
    if (this.directories.has(path)) {
      if (mode !== undefined) this.directoryModes.set(path, mode)
      return
    }
    const inode = this.open(path)
    inode.mode = mode ?? inode.mode
    inode.mtime = mtime ?? inode.mtime
  }

  write(inode: Inode, bytes: Uint8Array, offset: number): void {
    const { capacity, acksShortWrite } = this.traits
    const free = capacity === Infinity ? Infinity : Math.max(0, capacity - this.usedBytes())
    const fits = bytes.length <= free
    inode.write(fits ? bytes : bytes.subarray(0, free), offset)
    this.touch(inode)
    for (const [path, other] of this.files) if (other === inode) this.onChange(path, inode.bytes)
    if (!fits && (!acksShortWrite || this.shortWrites++ > 0)) throw refusal('no-space', `write at ${offset}`)
  }

  sha256(path: string): string | undefined {
    const { sha256 } = this.traits
    if (sha256 === 'none') return undefined
    const right = createHash('sha256').update(this.open(path).bytes).digest('hex')
    return sha256 === 'right' ? right : right.replace(/^./, first => (first === '0' ? '1' : '0'))
  }

  /** The path with symbolic links followed. */
  private real(path: string): string {
    for (const [link, target] of this.links) {
      if (path === link || path.startsWith(`${link}/`)) return this.real(target + path.slice(link.length))
    }
    return path
  }

  private usedBytes(): number {
    return [...this.files.values()].reduce((sum, { allocated }) => sum + allocated, 0)
  }

  private touch(inode: Inode): void {
    inode.mtime = Math.floor(this.clock.now() / 1000)
  }

  private checkParent(path: string): void {
    const slash = path.lastIndexOf('/')
    if (slash > 0 && !this.directories.has(path.slice(0, slash))) throw refusal('not-found', path)
  }
}

interface Asked {
  readonly reject: (error: UploadError) => void
}

/** One session of the server. */
export class MemorySession implements Remote {
  readonly ended: Promise<UploadError>
  endedWith: UploadError | undefined
  readonly openFiles = new Set<MemoryFile>()
  mostOpenFiles = 0
  private settleEnded: (error: UploadError) => void = () => undefined
  private readonly asked = new Set<Asked>()
  /** Known to the server; `endedWith` is known to the client. */
  private isCut = false
  private isSilent = false
  private appliedAt = 0
  private answeredAt = 0
  private syncedAt = 0

  constructor(
    readonly server: MemoryServer,
    readonly number: number
  ) {
    this.ended = new Promise(resolve => (this.settleEnded = resolve))
  }

  get chunkSize(): number {
    return this.server.traits.chunkSize
  }

  get window(): number {
    return this.server.traits.window
  }

  get maxOpenFiles(): number {
    return this.server.traits.maxOpenFiles
  }

  get roundTripMs(): number {
    return this.server.traits.latencyMs
  }

  get canReplace(): boolean {
    return this.server.traits.canReplace
  }

  get canCopy(): boolean {
    return this.server.traits.canCopy
  }

  copy(from: string, to: string, ranges: readonly ByteRange[], mode: number | undefined): Promise<void> {
    return this.ask('copy', from, path => {
      const { server } = this
      const source = server.open(path)
      const target = server.create(normal(to), mode)
      for (const { offset, length } of ranges)
        server.write(target, source.bytes.subarray(offset, offset + length), offset)
    })
  }

  stat(path: string): Promise<RemoteStat | undefined> {
    return this.ask('stat', path, to => this.server.stat(to))
  }

  list(path: string): Promise<RemoteEntry[]> {
    return this.ask('list', path, to => this.server.list(to))
  }

  kindOf(path: string): Promise<RemoteKind | undefined> {
    return this.ask('kindOf', path, to => this.server.kindOf(to))
  }

  makeDirectory(path: string, mode: number | undefined): Promise<void> {
    return this.ask('makeDirectory', path, to => this.server.makeDirectory(to, mode))
  }

  create(path: string, mode: number | undefined): Promise<RemoteFile> {
    return this.ask('create', path, to => this.handle(to, () => this.server.create(to, mode), true))
  }

  reopen(path: string): Promise<RemoteFile> {
    return this.ask('reopen', path, to => this.handle(to, () => this.server.reopen(to), true))
  }

  openForReading(path: string): Promise<RemoteFile> {
    return this.ask('openForReading', path, to => this.handle(to, () => this.server.open(to), false))
  }

  replace(from: string, to: string): Promise<void> {
    return this.ask('replace', from, path => this.server.rename(path, normal(to), true))
  }

  rename(from: string, to: string): Promise<void> {
    const { renameReplaces } = this.server.traits
    return this.ask('rename', from, path => this.server.rename(path, normal(to), renameReplaces))
  }

  remove(path: string): Promise<void> {
    return this.ask('remove', path, to => this.server.remove(to))
  }

  removeDirectory(path: string): Promise<void> {
    return this.ask('removeDirectory', path, to => this.server.removeDirectory(to))
  }

  setAttributes(path: string, attributes: { mode?: number; mtime?: number }): Promise<void> {
    return this.ask('setAttributes', path, to => this.server.setAttributes(to, attributes))
  }

  freeBytes(directory: string): Promise<number | undefined> {
    const { freeBytes, freeBytesBelow } = this.server.traits
    if (freeBytes === undefined) return Promise.resolve(undefined)
    return this.ask('freeBytes', directory, path => {
      if (!this.server.directories.has(path)) throw refusal('not-found', `statvfs ${directory}`)
      return freeBytesBelow[path] ?? freeBytes
    })
  }

  sha256(path: string): Promise<string | undefined> {
    return this.ask('sha256', path, to => this.server.sha256(to))
  }

  close(): void {
    this.end(new UploadError('connection-lost', 'the connection is closed'))
  }

  /** Refuses everything that is in flight and all that is asked later; nothing reaches the server any more. */
  end(error: UploadError): void {
    if (this.endedWith !== undefined) return
    this.endedWith = error
    this.cut()
    this.settleEnded(error)
    // The lane is to know of the end before its requests fail.
    queueMicrotask(() => this.rejectAsked(error))
  }

  /** The line is cut: with `endsLate`, what was asked fails a while before the session is known to be over. */
  lose(error: UploadError): void {
    if (!this.server.traits.endsLate) {
      this.end(error)
      return
    }
    if (this.isCut) return
    this.cut()
    this.rejectAsked(error)
    this.server.clock.after(3, () => this.end(error))
  }

  private cut(): void {
    if (this.isCut) return
    this.isCut = true
    if (!this.server.traits.removesUnfinished) return
    for (const { path, writable } of this.openFiles) if (writable) this.server.remove(path)
  }

  private rejectAsked(error: UploadError): void {
    for (const { reject } of this.asked) reject(error)
    this.asked.clear()
  }

  /** A request on its way to the server and back. `act` is late when the session died before. */
  ask<T>(
    operation: Operation,
    path: string,
    act: (path: string, isLate: boolean) => T,
    bytes = 0
  ): Promise<T> {
    const to = normal(path)
    return new Promise((resolve, reject) => {
      if (this.endedWith !== undefined) {
        reject(new UploadError(this.endedWith.code, `${operation} ${path}: ${this.endedWith.message}`))
        return
      }
      const asked: Asked = { reject }
      this.asked.add(asked)
      const answer = (settle: () => void) => {
        const after = this.answerDelay()
        this.server.clock.after(after, () => {
          if (this.isSilent || this.isCut || !this.asked.delete(asked)) return
          settle()
        })
      }
      const carryOut = () => {
        const request = { operation, path: to, session: this.number, bytes }
        const fault = this.server.faultAt(request)
        if (fault !== undefined && fault.takesEffect !== true) {
          this.strike(fault, operation, to, settle => answer(() => settle(reject)))
          return
        }
        let settle: () => void
        try {
          const value = act(to, false)
          settle = () => resolve(value)
        } catch (error) {
          const refused = toUploadError(error, 'protocol', operation)
          settle = () => reject(refused)
        }
        if (fault === undefined) answer(settle)
        else this.strike(fault, operation, to, refuse => answer(() => refuse(reject)))
      }
      this.server.clock.after(this.requestDelay(operation), () => {
        if (!this.isCut) carryOut()
        else if (operation !== 'rename') this.carryOutLate(() => act(to, true))
      })
    })
  }

  private strike(
    { then }: Fault,
    operation: Operation,
    path: string,
    answer: (settle: (reject: (error: UploadError) => void) => void) => void
  ): void {
    if (then === 'cut') this.lose(new UploadError('connection-lost', 'cut'))
    else if (then === 'cut-all') this.server.cutAll()
    else if (then === 'silence') this.fallSilent()
    else answer(reject => reject(refusal(then, `${operation} ${path}`)))
  }

  private fallSilent(): void {
    if (this.isSilent) return
    this.isSilent = true
    const { clock, traits } = this.server
    clock.after(traits.stallTimeoutMs, () =>
      this.end(new UploadError('stalled', 'the server has been silent'))
    )
  }

  private carryOutLate(act: () => unknown): void {
    const { clock, traits } = this.server
    if (traits.lateMs === undefined) return
    clock.after(traits.lateMs, () => {
      try {
        act()
      } catch {
        // Nobody is left to hear of it.
      }
    })
  }

  private requestDelay(operation: Operation): number {
    const { clock, traits } = this.server
    const now = clock.now()
    const own = now + traits.latencyMs + this.server.jitter()
    const overtakes = traits.overtaking.includes(operation)
    const at = Math.max(own, overtakes ? this.syncedAt : this.appliedAt)
    if (operation === 'sync') this.syncedAt = at
    this.appliedAt = Math.max(this.appliedAt, at)
    return at - now
  }

  private answerDelay(): number {
    const { clock, traits } = this.server
    const now = clock.now()
    const own = now + traits.latencyMs + this.server.jitter()
    const at = traits.shufflesAnswers ? own : Math.max(own, this.answeredAt)
    this.answeredAt = Math.max(this.answeredAt, at)
    return at - now
  }

  private handle(path: string, open: () => Inode, writable: boolean): MemoryFile {
    const { handlesOfSession, handlesOfAll } = this.server.traits
    const all = this.server.living.reduce((sum, { openFiles }) => sum + openFiles.size, 0)
    if (this.openFiles.size >= handlesOfSession || all >= handlesOfAll)
      throw refusal('server-failure', `open ${path}`)
    const file = new MemoryFile(this, path, open(), writable)
    this.openFiles.add(file)
    this.mostOpenFiles = Math.max(this.mostOpenFiles, this.openFiles.size)
    return file
  }
}

class MemoryFile implements RemoteFile {
  constructor(
    private readonly session: MemorySession,
    readonly path: string,
    private readonly inode: Inode,
    readonly writable: boolean
  ) {}

  write(bytes: Uint8Array, offset: number): Promise<void> {
    const { server } = this.session
    const copy = Buffer.from(bytes)
    const write = (_path: string, isLate: boolean) => {
      const inode = isLate && server.traits.lateToPath ? server.files.get(this.path) : this.inode
      if (!isLate) this.checkOpen()
      if (inode !== undefined) server.write(inode, copy, offset)
    }
    return this.session.ask('write', this.path, write, copy.length)
  }

  read({ offset, length }: ByteRange): Promise<Uint8Array> {
    return this.ask('read', () => Buffer.from(this.inode.bytes.subarray(offset, offset + length)))
  }

  stat(): Promise<RemoteStat> {
    return this.ask('fstat', () => statOf(this.inode))
  }

  sync(): Promise<void> {
    return this.ask('sync', () => undefined)
  }

  close(): Promise<void> {
    return this.ask('close', () => {
      this.session.openFiles.delete(this)
    })
  }

  private ask<T>(operation: Operation, act: () => T): Promise<T> {
    return this.session.ask(operation, this.path, (_path, isLate) => {
      if (!isLate) this.checkOpen()
      return act()
    })
  }

  private checkOpen(): void {
    if (!this.session.openFiles.has(this))
      throw refusal('server-failure', `${this.path}: the handle is closed`)
  }
}

function statOf({ size, mtime, mode }: Inode): RemoteStat {
  return { size, mtime, mode: 0o100000 | mode, isDirectory: false }
}

function matches({ on, path, session }: Fault, request: ServerRequest): boolean {
  if (on !== undefined && ![on].flat().includes(request.operation)) return false
  if (path !== undefined && !path.test(request.path)) return false
  return session === undefined || session === request.session
}

function isCode(then: Fault['then']): then is ErrorCode {
  return then !== 'cut' && then !== 'cut-all' && then !== 'silence'
}

function refusal(code: ErrorCode, doing: string): UploadError {
  return new UploadError(code, `${doing}: refused`)
}

function normal(path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  return (path.startsWith('/') ? '/' : '') + parts.join('/')
}
