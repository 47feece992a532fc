import { mkdir } from 'node:fs/promises'
import type { StateStore } from '../../engine/ports.js'
import type { CacheAnswer, CacheOperation } from './cache-task.js'
import { runInProcess } from './cache-process.js'
import { noteCopied, readMeta, writeMeta } from './state-directory.js'

export interface CacheStoreSettings {
  /** Holds `.upload.meta`; of this job alone. */
  readonly directory: string
  readonly keys: CacheKeys
  /** The bundle, which also runs as the cache process. */
  readonly program: string
  readonly environment: NodeJS.ProcessEnv
  /** Whether the cache gave trouble already, which was told. */
  readonly isTroubled: boolean
  readonly onTrouble: (text: string) => void
  readonly onLine: (line: string) => void
}

/** Entries of the Actions cache are never changed: every save has a key of its own, found again by its beginning. */
export interface CacheKeys {
  /** Ends in `-`; of this step, whatever the run. */
  readonly prefix: string
  readonly run: string
  readonly attempt: number
}

/** A restore delays the start; a save in the background delays nothing, one at the end the answer to a cancel. */
const RESTORE_LIMIT_MS = 5_000
const BACKGROUND_SAVE_LIMIT_MS = 30_000
const LAST_SAVE_LIMIT_MS = 3_000
/** For an operation that nobody can hope much of. */
const TROUBLED_LIMIT_MS = 2_000

const NOT_RESTORED = 'this upload does not know of earlier attempts, and a re-run may not know of this one'
const NOT_SAVED = 'a re-run may have to send everything again'

interface RunOptions {
  readonly limitMs: number
  /** What trouble means for the upload. */
  readonly consequence: string
  readonly signal: AbortSignal | undefined
}

/** Keeps `.upload.meta` in the job's state directory, and a copy in the Actions cache for the next attempt. */
export class CacheStore implements StateStore {
  private saves = 0
  private troubled: boolean
  private told: boolean

  constructor(private readonly settings: CacheStoreSettings) {
    this.troubled = settings.isTroubled
    this.told = settings.isTroubled
  }

  /** Whether the last operation gave trouble: then a re-run may not find what was saved. */
  get isTroubled(): boolean {
    return this.troubled
  }

  /** What an earlier step of this job left, else the newest entry: of this run first, then of earlier ones. */
  async load(signal: AbortSignal): Promise<string | undefined> {
    const { directory, keys } = this.settings
    const local = await readMeta(directory)
    if (local !== undefined) return local
    const ofThisRun = `${keys.prefix}${keys.run}-`
    const answer = await this.run(
      { operation: 'restore', key: `${ofThisRun}none`, prefixes: [ofThisRun, keys.prefix] },
      { limitMs: this.patience(RESTORE_LIMIT_MS), consequence: NOT_RESTORED, signal }
    )
    return answer === 'done' ? readMeta(directory) : undefined
  }

  async save(sealed: string, signal?: AbortSignal): Promise<void> {
    try {
      await writeMeta(this.settings.directory, sealed)
    } catch (error) {
      this.tell(`The state cannot be written (${reasonOf(error)}): ${NOT_SAVED}.`)
      return
    }
    await this.copyToCache(signal)
  }

  /** Saves what the state directory holds; tells whether it is in the cache now. */
  async copyToCache(signal?: AbortSignal): Promise<boolean> {
    const { keys } = this.settings
    const key = `${keys.prefix}${keys.run}-${keys.attempt}-${Date.now()}-${this.saves++}`
    const limitMs = signal === undefined ? this.patience(LAST_SAVE_LIMIT_MS) : BACKGROUND_SAVE_LIMIT_MS
    const answer = await this.run({ operation: 'save', key }, { limitMs, consequence: NOT_SAVED, signal })
    if (answer === 'done') await noteCopied(this.settings.directory).catch(() => undefined)
    return answer === 'done'
  }

  /** How long somebody waits for an operation. */
  private patience(limitMs: number): number {
    return this.troubled ? Math.min(limitMs, TROUBLED_LIMIT_MS) : limitMs
  }

  private async run(task: CacheOperation, options: RunOptions): Promise<CacheAnswer | undefined> {
    const { directory, program, environment, onLine } = this.settings
    const { limitMs, consequence, signal } = options
    try {
      await mkdir(directory, { recursive: true })
      const answer = await runInProcess(task, { program, directory, environment, limitMs, signal, onLine })
      this.troubled = answer === 'unavailable'
      if (answer === 'unavailable') this.tell(`There is no Actions cache here: ${consequence}.`)
      return answer
    } catch (error) {
      if (signal?.aborted === true) return undefined
      this.troubled = true
      this.tell(`The Actions cache cannot be used (${task.operation}: ${reasonOf(error)}): ${consequence}.`)
      return undefined
    }
  }

  private tell(text: string): void {
    if (this.told) return
    this.told = true
    this.settings.onTrouble(text)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
