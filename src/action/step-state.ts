import * as core from '@actions/core'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { joinRemote } from '../core/plan.js'
import { deriveStateKeys, keyedName, type StateKeys } from '../core/seal.js'
import type { State } from '../engine/checkpoint.js'
import type { SharedSessions } from '../adapters/sftp/shared-sessions.js'
import { CacheKeeper, type CacheKeys } from '../adapters/state/cache-keeper.js'
import { JobStore, type JobStoreSettings } from '../adapters/state/job-store.js'
import { ServerKeeper } from '../adapters/state/server-keeper.js'
import type { Settings } from '../run/settings.js'
import { stepName } from '../run/step-name.js'
import type { Job } from './job.js'

/** Where this step keeps its state: in the job, in the cache and on the server. */
export interface StatePlace {
  readonly directory: string
  readonly cache: CacheKeys
  /** Of the file on the server. */
  readonly path: string
}

/** The same for every run of the same step, and for no other target, login, selection or `state-key`. */
export function statePlace(settings: Settings, keys: StateKeys, job: Job): StatePlace {
  const step = stepName(settings, keys, settings.selection.paths)
  return {
    directory: join(job.temp, 'resumable-sftp-upload', step),
    cache: { prefix: `resumable-sftp-upload-1-${step}-`, run: job.run, attempt: job.attempt },
    path: joinRemote(settings.target.remotePath, [`.${step}.upload.meta`])
  }
}

export interface StepStateSettings extends Omit<JobStoreSettings, 'directory' | 'keepers'> {
  readonly settings: Settings
  /** What only the holder of the login has; `undefined`: nothing that outlives the run. */
  readonly secret: string | undefined
  readonly job: Job
  readonly sessions: SharedSessions
}

export interface StepState extends State {
  /** `undefined` when no state is kept. */
  readonly kept: KeptState | undefined
}

export interface KeptState {
  readonly store: JobStore
  /** The job's state directory. */
  readonly directory: string
}

/** Where the state of this step is kept, as the settings say; without a secret that outlives the run, nowhere. */
export function openState(given: StepStateSettings): StepState {
  const { settings, secret, job } = given
  const keys = deriveStateKeys(secret ?? randomBytes(32).toString('hex'))
  const writer = { run: job.run, attempt: job.attempt, runner: keyedName(keys, 'runner', job.runner) }
  const isKept = settings.state.store !== 'none' && secret !== undefined
  const kept = isKept ? openStore(given, keys) : undefined
  return {
    store: kept?.store,
    keys,
    writer,
    job: job.id,
    // Jobs of one run and attempt are at work at the same time.
    isOnlyWriter: false,
    intervalMs: kept === undefined ? 0 : settings.state.checkpointIntervalMs,
    kept
  }
}

/** The keeper that was asked for comes first, and the other one stands in for it. */
function openStore({ settings, job, sessions, ...reports }: StepStateSettings, keys: StateKeys): KeptState {
  const { directory, cache, path } = statePlace(settings, keys, job)
  const inCache = new CacheKeeper({
    directory: join(directory, 'cache'),
    keys: cache,
    // This program also runs as its own cache process.
    program: process.argv[1] ?? '',
    environment: process.env,
    onLine: passOn
  })
  const run = keyedName(keys, 'run', job.run, job.runner).slice(0, 8)
  const onServer = new ServerKeeper({ sessions, path, temporaryPath: `${path}.${run}.new` })
  const keepers = settings.state.store === 'server' ? [onServer, inCache] : [inCache, onServer]
  return { store: new JobStore({ ...reports, directory, keepers }), directory }
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
