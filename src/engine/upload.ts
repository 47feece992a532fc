import { blockCount } from '../core/blocks.js'
import { toUploadError, UploadError } from '../core/errors.js'
import { bytesOf, type PlannedFile } from '../core/plan.js'
import type { Report } from '../core/report.js'
import { BlockQueue } from './block-queue.js'
import { checkSpace } from './check-space.js'
import type { State } from './checkpoint.js'
import type { Attempt, UploadSettings, World } from './context.js'
import { drain } from './drain.js'
import { Directories } from './directories.js'
import type { FileProgress } from './file-progress.js'
import { forEach } from './for-each.js'
import { Lanes } from './lanes.js'
import { type LastFile, uploadLast } from './last-file.js'
import { publishTogether } from './publish-together.js'
import { retry } from './retry.js'
import { Run } from './run.js'
import { settle, type Settled } from './settle.js'
import { StaleParts } from './stale-parts.js'
import { uploadFile } from './upload-file.js'

export interface UploadTask {
  readonly files: readonly PlannedFile[]
  /** What others upload to the same place at the same time. */
  readonly elsewhere?: readonly PlannedFile[] | undefined
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
  const { last, settings, world, signal } = task
  const run = new Run({ ...task, files: last === undefined ? task.files : [...task.files, last.file] })
  const directories = new Directories(settings.dirMode, { traits: run.traits, world })
  const { clock, random, emit } = world
  const reached = () => run.reachedBytes()
  try {
    await retry({ retries: settings.retries, clock, random, reached, emit, signal }, () =>
      attemptUpload({ task, bringFile, run, directories })
    )
  } catch (error) {
    const cause = toUploadError(signal.aborted ? signal.reason : error, 'server-failure', 'upload')
    for (const progress of run.pending()) run.finish(progress, 'failed', cause)
  } finally {
    await run.saveLast()
  }
  return run.report()
}

/** What all attempts share. */
interface Shared {
  readonly task: UploadTask
  readonly bringFile: BringFile
  readonly run: Run
  readonly directories: Directories
}

/** One attempt at everything that has no result yet, over its own connections. */
async function attemptUpload(shared: Shared): Promise<void> {
  const { task, run } = shared
  const { last, signal } = task
  signal.throwIfAborted()
  const pending = run.pending()
  const attempt = openAttempt(shared, lanesFor(pending))
  const { lanes, queue, staleParts, world } = attempt
  const stop = () => {
    queue.close()
    void world.clock.sleep(DRAIN_MS, new AbortController().signal).then(() => lanes.close())
  }
  signal.addEventListener('abort', stop)
  let shortage: UploadError | undefined
  try {
    await run.recall(signal)
    // Nobody waits for the answer, and only a shortage matters.
    const spaceCheck = lanes.use(({ remote }) => checkSpace(pending, remote, task.settings.publish))
    spaceCheck.catch((error: unknown) => {
      if (!(error instanceof UploadError) || error.code !== 'no-space') return
      shortage = error
      stop()
    })
    const upload = (files: readonly FileProgress[]) => uploadAndPublish(shared, files, attempt)
    await upload(pending.filter(({ file }) => file !== last?.file))
    const lastProgress = pending.find(({ file }) => file === last?.file)
    if (last !== undefined && lastProgress !== undefined) await uploadLast(last, lastProgress, run, upload)
    await staleParts.done()
    if (lanes.hasStalled) run.expectLateWrites()
    // While there is a session for it. When the attempt fails, it is saved once nothing is in flight any more.
    await run.saveLast()
  } catch (error) {
    throw shortage ?? error
  } finally {
    signal.removeEventListener('abort', stop)
    queue.close()
    lanes.close()
    if (lanes.hasStalled) run.expectLateWrites()
  }
}

function openAttempt({ task, run, directories }: Shared, wantedLanes: number): Attempt {
  const { settings, world, signal } = task
  const { connect, emit, clock } = world
  const { connections } = settings
  const { traits, namesakes } = run
  const queue = new BlockQueue()
  const lanes = Lanes.open({ connect, connections, queue, emit, clock, signal }, wantedLanes)
  const staleParts = new StaleParts(clock, run.partNames)
  return { world, settings, traits, lanes, queue, directories, namesakes, staleParts, signal }
}

async function uploadAndPublish(
  { task, bringFile, run }: Shared,
  pending: readonly FileProgress[],
  attempt: Attempt
): Promise<void> {
  const isTogether = task.settings.publish === 'together'
  // What is whole only waits to be published together.
  const missing = pending.filter(({ whole }) => !isTogether || whole === undefined)
  const isLarge = ({ file }: FileProgress) => blockCount(file.size) > 1
  const upload = (progress: FileProgress) => {
    return settle(run, progress, attempt, () => {
      task.signal.throwIfAborted()
      return bringFile(progress, attempt)
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
