import { blockCount } from '../core/blocks.js'
import { isTransient, toUploadError, UploadError } from '../core/errors.js'
import type { PlannedFile } from '../core/plan.js'
import type { FileResult, Report } from '../core/report.js'
import { keyedName } from '../core/seal.js'
import { BlockQueue } from './block-queue.js'
import { Checkpoints, loadRecords, type State } from './checkpoint.js'
import type { Attempt, ServerTraits, UploadSettings, World } from './context.js'
import { drain } from './drain.js'
import { Directories } from './directories.js'
import type { FileProgress } from './file-progress.js'
import { Lanes } from './lanes.js'
import { retry } from './retry.js'
import { StaleParts } from './stale-parts.js'
import { uploadFile } from './upload-file.js'

export interface UploadTask {
  readonly files: readonly PlannedFile[]
  /** `user@host:port`, which the names of the records are bound to. */
  readonly server: string
  readonly settings: UploadSettings
  readonly state: State
  readonly world: World
  /** Aborted with the reason, an UploadError, when the run is told to stop. */
  readonly signal: AbortSignal
}

/** Large files that are on their way at once: more than one, so that the lanes stay full where one ends. */
const LARGE_AT_ONCE = 3
const SMALL_AT_ONCE = 2048
/** What makes another lane worth its login. */
const BYTES_FOR_A_LANE = 8 * 1024 * 1024
const FILES_FOR_A_LANE = 64
/** How long what is in flight may still be acknowledged after the run was told to stop. */
const DRAIN_MS = 1_000

/**
 * Uploads all planned files: makes attempts until each file has a result or no retry is left, and saves checkpoints
 * meanwhile. Failures are in the report, file by file; it does not throw for them.
 */
export async function upload(task: UploadTask): Promise<Report> {
  const { files, server, settings, state, world, signal } = task
  const { clock, random, emit } = world
  const records = await loadRecords(state, emit, signal)
  const startedMs = clock.now()
  const names = new Map(files.map(file => [file, keyedName(state.keys, server, file.remote)]))
  const nameOf = (file: PlannedFile) => names.get(file) ?? ''
  const all = files.map(file => newProgress(file, records.get(nameOf(file))))
  const results = new Map<FileProgress, FileResult>()
  const finish = (progress: FileProgress, status: FileResult['status'], error?: UploadError) => {
    const result = resultOf(progress, status, clock.now(), error)
    results.set(progress, result)
    emit({ type: 'finished', result })
  }

  const recorded = () =>
    new Map(
      all.flatMap(({ file, record }) => (record === undefined ? [] : [[nameOf(file), record] as const]))
    )
  const checkpoints = new Checkpoints(state, recorded, clock)
  const ended = new AbortController()
  const checkpointing = checkpoints.run(ended.signal)
  const run = { ...task, traits: { oneLane: false, inOrder: true, refusesAttributes: false }, finish }
  const directories = new Directories(settings.dirMode)
  let elapsedMs: number
  try {
    const reached = () => all.reduce((bytes, file) => bytes + reachedBytes(file), 0)
    await retry({ retries: settings.retries, clock, random, reached, emit, signal }, () => {
      const pending = all.filter(file => !results.has(file))
      return attemptUpload(run, pending, directories)
    })
  } catch (error) {
    const cause = toUploadError(signal.aborted ? signal.reason : error, 'server-failure', 'upload')
    for (const progress of all) if (!results.has(progress)) finish(progress, 'failed', cause)
  } finally {
    elapsedMs = clock.now() - startedMs
    ended.abort()
    await checkpointing
    await checkpoints.close()
  }
  return { results: all.flatMap(progress => results.get(progress) ?? []), elapsedMs }
}

interface Run extends UploadTask {
  readonly traits: ServerTraits
  readonly finish: (progress: FileProgress, status: FileResult['status'], error?: UploadError) => void
}

/** One attempt at everything that has no result yet, over its own connections. */
async function attemptUpload(
  run: Run,
  pending: readonly FileProgress[],
  directories: Directories
): Promise<void> {
  const { settings, world, traits, signal } = run
  signal.throwIfAborted()
  const queue = new BlockQueue()
  const { connect, emit, clock } = world
  const { connections } = settings
  const lanes = Lanes.open({ connect, connections, queue, emit, signal }, lanesFor(pending))
  const staleParts = new StaleParts(clock)
  const attempt: Attempt = { world, settings, traits, lanes, queue, directories, staleParts, signal }

  const stop = () => {
    queue.close()
    void clock.sleep(DRAIN_MS, new AbortController().signal).then(() => lanes.close())
  }
  signal.addEventListener('abort', stop)
  try {
    const isLarge = ({ file }: FileProgress) => blockCount(file.size) > 1
    const upload = (progress: FileProgress) => uploadWhileLanesLive(run, progress, attempt)
    await drain([
      forEach(pending.filter(isLarge), LARGE_AT_ONCE, upload),
      forEach(
        pending.filter(file => !isLarge(file)),
        SMALL_AT_ONCE,
        upload
      )
    ])
    await staleParts.done()
  } finally {
    signal.removeEventListener('abort', stop)
    queue.close()
    lanes.close()
  }
}

/**
 * Uploads a file over one lane after the other while there is one. A failure that is the file's own is its result.
 *
 * @throws UploadError when the cause is shared: no lane is left, the disk is full, the run was told to stop.
 */
async function uploadWhileLanesLive(run: Run, progress: FileProgress, attempt: Attempt): Promise<void> {
  for (;;) {
    run.signal.throwIfAborted()
    try {
      run.finish(progress, await uploadFile(progress, attempt))
      return
    } catch (error) {
      run.signal.throwIfAborted()
      const failure = toUploadError(error, 'server-failure', `upload ${progress.file.local}`)
      if (failure.code === 'no-space' || failure === attempt.lanes.failure) throw failure
      if (!isTransient(failure)) {
        run.finish(progress, 'failed', failure)
        return
      }
    }
  }
}

/** Works on up to `atOnce` items at the same time; after a failure nothing new is begun, and it throws when all ended. */
async function forEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>
): Promise<void> {
  const left = items.values()
  let failed = false
  const worker = async () => {
    for (const item of left) {
      if (failed) return
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await drain(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}

function lanesFor(pending: readonly FileProgress[]): number {
  const bytes = pending.reduce((sum, { file }) => sum + file.size, 0)
  return Math.ceil(Math.max(bytes / BYTES_FOR_A_LANE, pending.length / FILES_FOR_A_LANE))
}

/** What of a file is on the server for good; a published one counts a byte more than a whole one that is not. */
function reachedBytes({ record }: FileProgress): number {
  if (record === undefined) return 0
  return record.published === undefined ? record.ledger.acknowledgedBytes() : record.identity.size + 1
}

function newProgress(file: PlannedFile, record: FileProgress['record']): FileProgress {
  return {
    file,
    record,
    provenMtimeMs: undefined,
    sentBytes: 0,
    reusedBytes: 0,
    startedMs: undefined,
    sentAgain: false
  }
}

function resultOf(
  { file, record, sentBytes, reusedBytes, startedMs }: FileProgress,
  status: FileResult['status'],
  nowMs: number,
  error: UploadError | undefined
): FileResult {
  const isUnfinished = status === 'failed' && record?.published === undefined
  const digest = blockCount(file.size) === 1 && status !== 'failed' ? record?.ledger.digestOf(0) : undefined
  return {
    file,
    status,
    sentBytes,
    reusedBytes,
    elapsedMs: nowMs - (startedMs ?? nowMs),
    sha256: digest === undefined ? undefined : Buffer.from(digest, 'base64').toString('hex'),
    error,
    continuesWith: isUnfinished && blockCount(file.size) > 1 ? record?.ledger.acknowledgedBytes() : undefined
  }
}
