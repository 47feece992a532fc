import { blockCount } from '../core/blocks.js'
import { toUploadError, UploadError } from '../core/errors.js'
import { bytesOf, type PlannedFile } from '../core/plan.js'
import type { FileResult, Report } from '../core/report.js'
import type { UploadRecord } from '../core/resume.js'
import { keyedName } from '../core/seal.js'
import { BlockQueue } from './block-queue.js'
import { checkSpace } from './check-space.js'
import { Checkpoints, loadState, type State } from './checkpoint.js'
import type { Attempt, ServerTraits, UploadSettings, World } from './context.js'
import { drain } from './drain.js'
import { Directories } from './directories.js'
import { newProgress, reachedBytes, type FileProgress } from './file-progress.js'
import { resultOf } from './file-result.js'
import { forEach } from './for-each.js'
import { Lanes } from './lanes.js'
import { type LastFile, uploadLast } from './last-file.js'
import { Namesakes } from './namesakes.js'
import { publishTogether, type Publication } from './publish-together.js'
import { retry } from './retry.js'
import { RunLog } from './run-log.js'
import { settle, type Settled } from './settle.js'
import { StaleParts } from './stale-parts.js'
import { uploadFile } from './upload-file.js'

export interface UploadTask {
  readonly files: readonly PlannedFile[]
  readonly last?: LastFile | undefined
  /** `user@host:port`, which the names of the records are bound to. */
  readonly server: string
  readonly settings: UploadSettings
  readonly state: State
  readonly world: World
  /** Aborted with the reason, an UploadError, when the run is told to stop. */
  readonly signal: AbortSignal
}

/** What is done for one file. @throws UploadError */
export type BringFile = (progress: FileProgress, attempt: Attempt) => Promise<Settled>

/** Large files that are on their way at once: more than one, so that the lanes stay full where one ends. */
const LARGE_AT_ONCE = 3
/** Small files that are on their way at once: a few all together, many in what keeps a long line full. */
const SMALL_AT_ONCE = { few: 2048, many: 1024 }
/** What makes another lane worth its login. */
const BYTES_FOR_A_LANE = 8 * 1024 * 1024
const FILES_FOR_A_LANE = 64
/** How long what is in flight may still be acknowledged after the run was told to stop. */
const DRAIN_MS = 1_000

/**
 * Uploads all planned files: makes attempts until each file has a result or no retry is left, and saves checkpoints
 * meanwhile. Failures are in the report, file by file; it does not throw for them.
 */
export async function upload(task: UploadTask, bringFile: BringFile = uploadFile): Promise<Report> {
  const { server, settings, state, world, signal } = task
  const files = task.last === undefined ? task.files : [...task.files, task.last.file]
  const { clock, random, emit } = world
  const all = files.map(newProgress)
  let startedMs = clock.now()
  let endedMs = startedMs
  const finish = (progress: FileProgress, status: FileResult['status'], error?: UploadError) => {
    endedMs = clock.now()
    const result = resultOf(progress, status, endedMs, error)
    progress.result = result
    emit({ type: 'finished', result })
  }

  const nameOf = (progress: FileProgress) =>
    (progress.name ??= keyedName(state.keys, server, progress.file.remote))
  const recorded = () => {
    const records = new Map<string, UploadRecord>()
    for (const progress of all)
      if (progress.record !== undefined) records.set(nameOf(progress), progress.record)
    return records
  }
  const runs = new RunLog(all, clock)
  const soFar = () => all.flatMap(({ result }) => result ?? [])
  const isDone = () => all.every(({ result }) => result !== undefined && result.status !== 'failed')
  const contents = () => ({ records: recorded(), runs: isDone() ? [] : runs.soFar() })
  const checkpoints = new Checkpoints(state, contents, clock)
  const ended = new AbortController()
  let checkpointing: Promise<void> | undefined
  const recall = async () => {
    if (checkpointing !== undefined) return
    const found = await loadState(state, emit, signal)
    if (found.records.size > 0)
      for (const progress of all) progress.record = found.records.get(nameOf(progress))
    runs.recall(found.runs ?? [])
    startedMs = clock.now()
    checkpointing = checkpoints.run(ended.signal)
  }
  const saveLast = async () => {
    ended.abort()
    await checkpointing
    await checkpoints.close()
  }
  const firstFailure = () => soFar().find(({ status }) => status === 'failed')
  const onPublishing = () => void checkpoints.now(ended.signal)
  const traits = { oneLane: false, inOrder: true, refusesAttributes: false }
  const namesakes = new Namesakes(files)
  const run = {
    ...task,
    traits,
    namesakes,
    bringFile,
    recall,
    saveLast,
    finish,
    firstFailure,
    soFar,
    begun: false,
    onPublishing
  }
  const directories = new Directories(settings.dirMode)
  try {
    const reached = () => all.reduce((bytes, file) => bytes + reachedBytes(file), 0)
    await retry({ retries: settings.retries, clock, random, reached, emit, signal }, () => {
      const pending = all.filter(({ result }) => result === undefined)
      return attemptUpload(run, pending, directories)
    })
  } catch (error) {
    const cause = toUploadError(signal.aborted ? signal.reason : error, 'server-failure', 'upload')
    for (const progress of all) if (progress.result === undefined) finish(progress, 'failed', cause)
  } finally {
    await saveLast()
  }
  return { results: soFar(), elapsedMs: endedMs - startedMs, earlier: runs.earlier }
}

interface Run extends UploadTask, Publication {
  readonly traits: ServerTraits
  readonly bringFile: BringFile
  readonly namesakes: Namesakes
  /** Learns what earlier runs left, once: the store may need a session for that. */
  readonly recall: () => Promise<void>
  /** Saves the state for the last time; does nothing when that was done and nothing changed since. */
  readonly saveLast: () => Promise<void>
}

/** One attempt at everything that has no result yet, over its own connections. */
async function attemptUpload(
  run: Run,
  pending: readonly FileProgress[],
  directories: Directories
): Promise<void> {
  const { settings, world, traits, namesakes, signal } = run
  signal.throwIfAborted()
  const queue = new BlockQueue()
  const { connect, emit, clock } = world
  const { connections } = settings
  const lanes = Lanes.open({ connect, connections, queue, emit, clock, signal }, lanesFor(pending))
  const staleParts = new StaleParts(clock)
  const attempt: Attempt = {
    world,
    settings,
    traits,
    lanes,
    queue,
    directories,
    namesakes,
    staleParts,
    signal
  }

  const stop = () => {
    queue.close()
    void clock.sleep(DRAIN_MS, new AbortController().signal).then(() => lanes.close())
  }
  signal.addEventListener('abort', stop)
  let shortage: UploadError | undefined
  try {
    await run.recall()
    // Nobody waits for the answer, and only a shortage matters.
    const spaceCheck = lanes.use(({ remote }) => checkSpace(pending, remote, settings.publish))
    spaceCheck.catch((error: unknown) => {
      if (!(error instanceof UploadError) || error.code !== 'no-space') return
      shortage = error
      stop()
    })
    const { last } = run
    const upload = (files: readonly FileProgress[]) => uploadAndPublish(run, files, attempt)
    await upload(pending.filter(({ file }) => file !== last?.file))
    const lastProgress = pending.find(({ file }) => file === last?.file)
    if (last !== undefined && lastProgress !== undefined) await uploadLast(last, lastProgress, run, upload)
    await staleParts.done()
    // While there is a session for it. When the attempt fails, it is saved once nothing is in flight any more.
    await run.saveLast()
  } catch (error) {
    throw shortage ?? error
  } finally {
    signal.removeEventListener('abort', stop)
    queue.close()
    lanes.close()
  }
}

async function uploadAndPublish(run: Run, pending: readonly FileProgress[], attempt: Attempt): Promise<void> {
  const isTogether = run.settings.publish === 'together'
  // What is whole only waits to be published together.
  const missing = pending.filter(({ whole }) => !isTogether || whole === undefined)
  const isLarge = ({ file }: FileProgress) => blockCount(file.size) > 1
  const upload = (progress: FileProgress) => {
    return settle(run, progress, attempt, () => {
      run.signal.throwIfAborted()
      return run.bringFile(progress, attempt)
    })
  }
  const small = missing.filter(file => !isLarge(file))
  const most = small.length > 2 * SMALL_AT_ONCE.few ? SMALL_AT_ONCE.many : SMALL_AT_ONCE.few
  const smallAtOnce = () => Math.min(most, attempt.lanes.pace.mostFiles)
  await drain([forEach(missing.filter(isLarge), LARGE_AT_ONCE, upload), forEach(small, smallAtOnce, upload)])
  if (isTogether) await publishTogether(run, pending, attempt)
}

function lanesFor(pending: readonly FileProgress[]): number {
  const bytes = bytesOf(pending.map(({ file }) => file))
  return Math.ceil(Math.max(bytes / BYTES_FOR_A_LANE, pending.length / FILES_FOR_A_LANE))
}
