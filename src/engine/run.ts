import type { UploadError } from '../core/errors.js'
import { targetOfPart } from '../core/identity.js'
import type { PlannedFile } from '../core/plan.js'
import type { FileResult, Report } from '../core/report.js'
import type { UploadRecord } from '../core/resume.js'
import { keyedName } from '../core/seal.js'
import { Checkpoints, type Contents, loadState, type State } from './checkpoint.js'
import type { ServerTraits, World } from './context.js'
import { newProgress, reachedBytes, type FileProgress } from './file-progress.js'
import { resultOf } from './file-result.js'
import { Namesakes } from './namesakes.js'
import type { Publication } from './publish-together.js'
import { RunLog } from './run-log.js'

export interface RunSettings {
  readonly files: readonly PlannedFile[]
  readonly elsewhere?: readonly PlannedFile[] | undefined
  /** `user@host:port`, which the names of the records are bound to. */
  readonly server: string
  readonly state: State
  readonly world: Pick<World, 'clock' | 'emit'>
}

/** What one run of an upload knows over all its attempts: how far each file is, and the state that is kept of them. */
export class Run implements Publication {
  readonly traits: ServerTraits = { oneLane: false, inOrder: true, refusedAttributes: new Set() }
  readonly namesakes: Namesakes
  /** Planned files that have names as of part files. */
  readonly partNames: ReadonlySet<string>
  begun = false
  private readonly all: readonly FileProgress[]
  private readonly log: RunLog
  private readonly checkpoints: Checkpoints
  private readonly ended = new AbortController()
  private checkpointing: Promise<void> | undefined
  private startedMs: number
  private endedMs: number

  constructor(private readonly settings: RunSettings) {
    const { files, elsewhere = [], state, world } = settings
    const planned = [...files, ...elsewhere]
    this.all = files.map(newProgress)
    this.namesakes = new Namesakes(planned)
    const remotes = planned.map(({ remote }) => remote)
    this.partNames = new Set(remotes.filter(remote => targetOfPart(remote) !== undefined))
    this.log = new RunLog(this.all, world.clock)
    this.checkpoints = new Checkpoints(state, () => this.contents(), world.clock)
    this.startedMs = world.clock.now()
    this.endedMs = this.startedMs
  }

  /** The files without a result. */
  pending(): FileProgress[] {
    return this.all.filter(({ result }) => result === undefined)
  }

  /** Bytes that are on the server for good, by which a retry tells that there was progress. */
  reachedBytes(): number {
    return this.all.reduce((bytes, file) => bytes + reachedBytes(file), 0)
  }

  finish(progress: FileProgress, status: FileResult['status'], error?: UploadError): void {
    this.endedMs = this.settings.world.clock.now()
    progress.result = resultOf(progress, status, this.endedMs, error)
    this.settings.world.emit({ type: 'finished', result: progress.result })
  }

  soFar(): FileResult[] {
    return this.all.flatMap(({ result }) => result ?? [])
  }

  firstFailure(): FileResult | undefined {
    return this.soFar().find(({ status }) => status === 'failed')
  }

  /** Learns what earlier runs left, once: the store may need a session for that. @throws UploadError as `loadState` does. */
  async recall(signal: AbortSignal): Promise<void> {
    if (this.checkpointing !== undefined) return
    const { state, world } = this.settings
    const found = await loadState(state, world.emit, signal)
    if (found.records.size > 0)
      for (const progress of this.all) progress.record = found.records.get(this.nameOf(progress))
    this.log.recall(found.runs ?? [])
    this.startedMs = world.clock.now()
    this.checkpointing = this.checkpoints.run(this.ended.signal)
  }

  /** What has no final name yet may get bytes of this run when it is over. */
  expectLateWrites(): void {
    for (const progress of this.all) {
      const { record } = progress
      if (record !== undefined && record.published === undefined)
        progress.record = { ...record, lateWrites: true }
    }
  }

  onPublishing(): void {
    void this.checkpoints.now(this.ended.signal)
  }

  /** Saves the state for the last time; does nothing when that was done and nothing changed since. */
  async saveLast(): Promise<void> {
    this.ended.abort()
    await this.checkpointing
    await this.checkpoints.close()
  }

  report(): Report {
    const elapsedMs = this.endedMs - this.startedMs
    return { results: this.soFar(), elapsedMs, earlier: this.log.earlier }
  }

  private contents(): Contents {
    const isDone = this.all.every(({ result }) => result !== undefined && result.status !== 'failed')
    const records = new Map<string, UploadRecord>()
    for (const progress of this.all)
      if (progress.record !== undefined) records.set(this.nameOf(progress), progress.record)
    return { records, runs: isDone ? [] : this.log.soFar() }
  }

  private nameOf(progress: FileProgress): string {
    const { state, server } = this.settings
    return (progress.name ??= keyedName(state.keys, server, progress.file.remote))
  }
}
