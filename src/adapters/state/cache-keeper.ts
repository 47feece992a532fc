import { mkdir } from 'node:fs/promises'
import { reasonOf, UploadError } from '../../core/errors.js'
import type { CacheAnswer, CacheOperation } from './cache-task.js'
import { runInProcess } from './cache-process.js'
import { META_NAME, readMeta, writeMeta } from './state-directory.js'
import type { Patience, StateKeeper } from './state-keeper.js'

export interface CacheKeeperSettings {
  /** Of this keeper alone: the cache client packs and unpacks `.upload.meta` there. */
  readonly directory: string
  readonly keys: CacheKeys
  /** The bundle, which also runs as the cache process. */
  readonly program: string
  readonly environment: NodeJS.ProcessEnv
  readonly onLine: (line: string) => void
}

/** Entries of the Actions cache are never changed: every save has a key of its own, found again by its beginning. */
export interface CacheKeys {
  /** Ends in `-`; of this step, whatever the run. */
  readonly prefix: string
  readonly run: string
  readonly attempt: number
}

const UNAVAILABLE = {
  restore: 'there is no Actions cache here',
  save: 'this run cannot save to the Actions cache'
} as const

/** It delays the start. */
const RESTORE_LIMIT_MS = 5_000
/** An earlier attempt very probably left something, which is worth more. */
const LATER_RESTORE_LIMIT_MS = 20_000
const SAVE_LIMIT_MS = 30_000

/** Keeps `.upload.meta` in the Actions cache. */
export class CacheKeeper implements StateKeeper {
  readonly place = 'in the Actions cache'
  private saves = 0

  constructor(private readonly settings: CacheKeeperSettings) {}

  /** The newest entry: of this run first, then of earlier ones. */
  async load(signal: AbortSignal): Promise<string | undefined> {
    const { directory, keys } = this.settings
    const ofThisRun = `${keys.prefix}${keys.run}-`
    const answer = await this.run(
      { operation: 'restore', key: `${ofThisRun}none`, prefixes: [ofThisRun, keys.prefix] },
      { limitMs: keys.attempt > 1 ? LATER_RESTORE_LIMIT_MS : RESTORE_LIMIT_MS, signal }
    )
    if (answer !== 'done') return undefined
    const text = await readMeta(directory)
    if (text === undefined) throw troubleWith('restore', `the entry has no ${META_NAME}`)
    return text
  }

  async save(sealed: string, { limitMs, signal }: Patience): Promise<void> {
    const { directory, keys } = this.settings
    await writeMeta(directory, sealed)
    const key = `${keys.prefix}${keys.run}-${keys.attempt}-${Date.now()}-${this.saves++}`
    await this.run({ operation: 'save', key }, { limitMs: Math.min(limitMs, SAVE_LIMIT_MS), signal })
  }

  private async run(task: CacheOperation, patience: Patience): Promise<CacheAnswer> {
    const { directory, program, environment, onLine } = this.settings
    await mkdir(directory, { recursive: true })
    let answer: CacheAnswer
    try {
      answer = await runInProcess(task, { program, directory, environment, onLine, ...patience })
    } catch (error) {
      throw troubleWith(task.operation, reasonOf(error), error)
    }
    if (answer === 'unavailable') throw new UploadError('unsupported', UNAVAILABLE[task.operation])
    return answer
  }
}

function troubleWith(operation: CacheOperation['operation'], reason: string, cause?: unknown): Error {
  return new Error(`the Actions cache cannot be used (${operation}: ${reason})`, { cause })
}
