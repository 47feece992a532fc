import { setMaxListeners } from 'node:events'
import { UploadError } from '../../src/core/errors.js'
import { partPath } from '../../src/core/identity.js'
import { blockRange } from '../../src/core/blocks.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { FileResult, Report } from '../../src/core/report.js'
import type { ResumeDecision, UploadRecord } from '../../src/core/resume.js'
import { deriveStateKeys, keyedName, openSealed } from '../../src/core/seal.js'
import { parseUploadMeta, type Writer } from '../../src/core/upload-meta.js'
import type { UploadSettings, World } from '../../src/engine/context.js'
import type { LastFile } from '../../src/engine/last-file.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { preview } from '../../src/engine/preview.js'
import { upload } from '../../src/engine/upload.js'
import { hasDigest, randomOf, sameBytes } from './memory-bytes.js'
import { MemoryClock } from './memory-clock.js'
import { MemoryServer, type Fault, type ServerTraits } from './memory-server.js'
import { MemoryDisk } from './memory-source.js'
import { MemoryStore } from './memory-store.js'

const SERVER = 'deploy@example.org:22'
const SETTINGS: UploadSettings = {
  verify: 'size',
  connections: 1,
  retries: 5,
  fileMode: undefined,
  dirMode: undefined,
  preserveMtime: false,
  publish: 'each',
  wholeDigests: false
}

export interface RunOptions extends Partial<UploadSettings> {
  readonly signal?: AbortSignal
  readonly writer?: Partial<Writer>
  readonly job?: string
  readonly isOnlyWriter?: boolean
  readonly intervalMs?: number
  /** A file that is made of the results: its name, and its bytes. */
  readonly last?: {
    readonly name: string
    readonly size: number
    readonly make: (results: readonly FileResult[]) => Buffer
  }
  /** Only these files; otherwise all. */
  readonly names?: readonly string[]
  readonly isDryRun?: boolean
}

/** What came of one run. */
export interface Outcome {
  readonly report: Report
  readonly events: readonly UploadEvent[]
}

/**
 * A disk, a server, a store and time, all in memory, and runs of the engine over them. Every run is watched: the
 * ledger that is saved claims nothing that the server lacks (P3), a target is never anything but a whole version, and
 * with `publish: together` the first one changes when all files are whole (P1), and what is reported in place is in
 * place (P4).
 */
export class MemoryWorld {
  readonly clock: MemoryClock
  readonly disk: MemoryDisk
  readonly server: MemoryServer
  readonly store = new MemoryStore()
  readonly keys = deriveStateKeys('secret')
  /** What broke a promise. */
  readonly broken: string[] = []
  /** Events of the run that is under way, or was last. */
  events: UploadEvent[] = []
  /** Off for servers that lose what they acknowledged. */
  watchesLedger = true
  /** The target may be gone for a moment: its server cannot replace a file in one step. */
  mayBeAbsent: boolean
  onEvent: (event: UploadEvent) => void = () => undefined
  private readonly random: () => number
  /** The run that is under way publishes together, and has not begun to. */
  private isHeldTogether = false
  private readonly versions = new Map<string, (Buffer | undefined)[]>()
  private readonly rivals: MemoryWorld[] = []

  constructor(traits: Partial<ServerTraits> = {}, beside?: MemoryWorld) {
    this.clock = beside?.clock ?? new MemoryClock()
    this.disk = new MemoryDisk(this.clock)
    this.server = beside?.server ?? new MemoryServer(this.clock, traits)
    this.mayBeAbsent = !this.server.traits.canReplace
    this.random = randomOf(this.server.traits.seed + (beside === undefined ? 17 : 18))
    if (beside === undefined) this.server.onChange = (path, bytes) => this.watchTarget(path, bytes)
    this.store.onSave = sealed => this.watchRecords(sealed)
  }

  /** Another machine that has found the same state, with a disk of its own: its runs go on beside those of this one. */
  rival(): MemoryWorld {
    const rival = new MemoryWorld({}, this)
    rival.store.text = this.store.text
    rival.rivals.push(this)
    this.rivals.push(rival)
    return rival
  }

  /** Puts a local file there; its name is also that on the server, below `site/`. */
  put(name: string, bytes: Buffer, mtimeMs?: number): void {
    this.disk.put(localOf(name), bytes, mtimeMs === undefined ? {} : { mtimeMs })
  }

  /** Puts an older file in the place of the target. */
  putOld(name: string, bytes: Buffer): void {
    this.server.put(remoteOf(name), bytes)
    this.versions.set(remoteOf(name), [Buffer.from(bytes)])
  }

  localBytes(name: string): Buffer {
    return this.disk.at(localOf(name)).bytes
  }

  remoteBytes(name: string): Buffer | undefined {
    return this.server.bytesOf(remoteOf(name))
  }

  isInPlace(name: string): boolean {
    return sameBytes(this.localBytes(name), this.remoteBytes(name))
  }

  /** The record in the last save. */
  record(name: string): UploadRecord | undefined {
    return this.store.meta(this.keys).records.get(keyedName(this.keys, SERVER, remoteOf(name)))
  }

  plan(names?: readonly string[]): PlannedFile[] {
    return [...this.disk.files].flatMap(([local, { bytes }]) => {
      const name = local.slice('/project/'.length)
      if (names?.includes(name) === false) return []
      return [{ local, remote: remoteOf(name), size: bytes.length }]
    })
  }

  world(): World {
    const { clock, random, server, disk } = this
    return {
      connect: server.connect,
      openSource: disk.openSource,
      clock,
      random,
      newId: () =>
        Math.floor(random() * 0x1_0000_0000)
          .toString(16)
          .padStart(8, '0'),
      emit: event => {
        this.events.push(event)
        this.onEvent(event)
        if (event.type === 'finished') this.watchResult(event.result)
      }
    }
  }

  /** A run of the engine that has not been waited for. */
  start({
    signal,
    writer,
    job = 'deploy',
    isOnlyWriter = false,
    intervalMs = 60_000,
    names,
    last,
    isDryRun,
    ...settings
  }: RunOptions = {}): Promise<Report> {
    this.events = []
    this.isHeldTogether = settings.publish === 'together'
    const lastFile: LastFile | undefined = last && {
      file: { local: localOf(last.name), remote: remoteOf(last.name), size: last.size },
      write: async results => {
        await Promise.resolve()
        this.put(last.name, last.make(results))
      }
    }
    const stop = signal ?? new AbortController().signal
    // As the process does with its own.
    setMaxListeners(0, stop)
    return (isDryRun === true ? preview : upload)({
      files: this.plan(names).filter(({ local }) => local !== lastFile?.file.local),
      last: lastFile,
      server: SERVER,
      settings: { ...SETTINGS, ...settings },
      state: {
        store: this.store,
        keys: this.keys,
        writer: { run: '100', attempt: 1, runner: 'runner', ...writer },
        job,
        isOnlyWriter,
        intervalMs
      },
      world: this.world(),
      signal: stop
    })
  }

  /** A run of the engine, to its end. @throws Error when it hangs or broke a promise. */
  async run(options: RunOptions = {}): Promise<Outcome> {
    const report = await this.clock.until(this.start(options))
    this.checkPromises(report)
    return { report, events: this.events }
  }

  /** A run without retries whose sessions are all cut when that many bytes were written. */
  async interrupt(bytes: number, options: RunOptions = {}): Promise<Outcome> {
    const fault: Fault = { on: 'write', afterBytes: bytes, then: 'cut-all' }
    this.server.faults.push(fault)
    const outcome = await this.run({ retries: 0, ...options })
    this.server.faults.splice(this.server.faults.indexOf(fault), 1)
    return outcome
  }

  /** @throws Error when a promise was broken so far. */
  checkPromises(report?: Report): void {
    for (const result of report?.results ?? []) this.watchResult(result)
    if (this.broken.length > 0) throw new Error([...new Set(this.broken)].join('; '))
  }

  private watchResult({ file, status, error }: FileResult): void {
    if (status === 'failed') {
      if (error === undefined) this.broken.push(`${file.remote} failed without an error`)
      return
    }
    if (status === 'planned') return
    const there = this.server.bytesOf(file.remote)
    if (![this, ...this.rivals].some(({ disk }) => sameBytes(disk.files.get(file.local)?.bytes, there))) {
      this.broken.push(`P4: ${file.remote} is ${status} and not in place`)
    }
  }

  private watchTarget(path: string, bytes: Buffer | undefined): void {
    if (!path.startsWith('site/') || /\.part(\.old)?$/.test(path)) return
    const local = localOf(path.slice('site/'.length))
    const own = [this, ...this.rivals].flatMap(({ disk }) => disk.versions.get(local) ?? [])
    const whole = [...own, ...(this.versions.get(path) ?? [])]
    if (this.isHeldTogether && this.isAskedFor(path)) {
      this.isHeldTogether = false
      this.watchSet()
    }
    if (bytes === undefined) {
      if (!this.mayBeAbsent) this.broken.push(`P1: ${path} was taken away`)
    } else if (!whole.some(version => sameBytes(version, bytes))) {
      this.broken.push(`P1: ${path} is no whole version`)
    }
  }

  /** The target changes by a request of a living session: a late one may be of another run. */
  private isAskedFor(target: string): boolean {
    const { operation, path } = this.server.log.at(-1) ?? {}
    return (
      (operation === 'replace' || operation === 'rename') &&
      (path === target || path?.startsWith(`${target}.`) === true)
    )
  }

  private watchSet(): void {
    for (const { local, remote } of this.plan()) {
      const there = [remote, ...this.server.partsOf(remote)].map(path => this.server.bytesOf(path))
      const versions = this.disk.versions.get(local) ?? []
      if (there.some(bytes => versions.some(version => sameBytes(version, bytes)))) continue
      this.broken.push(`P1: a file was published before ${remote} was whole`)
    }
  }

  private watchRecords(sealed: string): void {
    if (!this.watchesLedger) return
    const { records } = parseUploadMeta(openSealed(this.keys, sealed))
    for (const { remote } of this.plan()) {
      const record = records.get(keyedName(this.keys, SERVER, remote))
      if (record === undefined || record.published !== undefined) continue
      const { ledger, partId } = record
      const published = record.publishing === undefined ? undefined : this.server.bytesOf(remote)
      const there = this.server.bytesOf(partPath(remote, partId)) ?? published
      // Where nothing is, the next run finds nothing and starts.
      if (there === undefined) continue
      for (const index of ledger.acknowledged()) {
        const { offset, length } = blockRange(ledger.fileSize, index)
        const bytes = there.subarray(offset, offset + length)
        if (!hasDigest(bytes, ledger.digestOf(index) ?? '')) {
          this.broken.push(`P3: block ${index} of ${remote} is in the ledger and not on the server`)
        }
      }
    }
  }
}

export function decisionsOf({ events }: Outcome): ResumeDecision['action'][] {
  return events.flatMap(event =>
    event.type === 'decided' || event.type === 'previewed' ? [event.decision.action] : []
  )
}

/** What the log says of each decision to begin or to go on. */
export function whysOf({ events }: Outcome): string[] {
  return events.flatMap(event => (event.type === 'decided' ? [event.decision.why] : []))
}

export function resultOf({ report }: Outcome, name: string): FileResult {
  const result = report.results.find(({ file }) => file.remote === remoteOf(name))
  if (result === undefined) throw new Error(`no result for ${name}`)
  return result
}

export function count({ events }: Outcome, type: UploadEvent['type']): number {
  return events.filter(event => event.type === type).length
}

export function warnings({ events }: Outcome): string[] {
  return events.flatMap(event => (event.type === 'warning' ? [event.text] : []))
}

export function cancelled(): UploadError {
  return new UploadError('cancelled', 'told to stop')
}

export function remoteOf(name: string): string {
  return `site/${name}`
}

export function localOf(name: string): string {
  return `/project/${name}`
}
