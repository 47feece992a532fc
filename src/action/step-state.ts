import * as core from '@actions/core'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { deriveStateKeys, keyedName, type StateKeys } from '../core/seal.js'
import type { State } from '../engine/checkpoint.js'
import { CacheStore, type CacheKeys, type CacheStoreSettings } from '../adapters/state/cache-store.js'
import { noStore } from '../adapters/state/no-store.js'
import type { Settings } from '../run/settings.js'
import { stepName } from '../run/step-name.js'
import type { Job } from './job.js'

/** Where this step keeps its state, in the job and in the cache. */
export interface StatePlace {
  readonly directory: string
  readonly cache: CacheKeys
}

/** The same for every run of the same step, and for no other target, login or selection. */
export function statePlace(settings: Settings, keys: StateKeys, job: Job): StatePlace {
  const step = stepName(settings, keys, settings.selection.paths)
  return {
    directory: join(job.temp, 'resumable-sftp-upload', step),
    cache: { prefix: `resumable-sftp-upload-1-${step}-`, run: job.run, attempt: job.attempt }
  }
}

export type CacheReports = Pick<CacheStoreSettings, 'isTroubled' | 'onTrouble'>

/** The cache store of this program, which also runs as its own cache process. */
export function cacheStore({ directory, cache }: StatePlace, reports: CacheReports): CacheStore {
  const program = process.argv[1] ?? ''
  return new CacheStore({
    directory,
    keys: cache,
    program,
    environment: process.env,
    onLine: passOn,
    ...reports
  })
}

export interface StepState {
  readonly state: State
  /** `undefined` when no state is kept. */
  readonly place: StatePlace | undefined
  /** Whether a re-run will find what was saved last. */
  readonly isKept: () => boolean
}

/** Where the state of this step is kept, as the settings say; without a secret that outlives the run, nowhere. */
export function openState(
  settings: Settings,
  secret: string | undefined,
  job: Job,
  reports: CacheReports
): StepState {
  const keys = deriveStateKeys(secret ?? randomBytes(32).toString('hex'))
  const writer = { run: job.run, attempt: job.attempt, runner: keyedName(keys, 'runner', job.runner) }
  if (settings.state.store === 'none' || secret === undefined) {
    return { state: { store: noStore, keys, writer, intervalMs: 0 }, place: undefined, isKept: () => false }
  }
  const place = statePlace(settings, keys, job)
  const store = cacheStore(place, reports)
  const intervalMs = settings.state.checkpointIntervalMs
  return { state: { store, keys, writer, intervalMs }, place, isKept: () => !store.isTroubled }
}

const MASK = '::add-mask::'

/** What the cache client prints is of use in a debug log only; what it wants masked is masked. */
function passOn(line: string): void {
  if (line.startsWith(MASK)) core.setSecret(line.slice(MASK.length))
  else core.debug(unescapeData(line))
}

/** The client has escaped its lines for the runner, and so does `debug`. */
function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}
