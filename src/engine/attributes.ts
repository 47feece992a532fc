import { isTransient, toUploadError, type UploadError } from '../core/errors.js'
import type { RemoteStat } from '../core/resume.js'
import type { ServerTraits, World } from './context.js'
import type { FileTask, RecordedTask } from './file-progress.js'
import type { Remote } from './ports.js'

const PERMISSIONS = 0o7777
const OWNER_READS_AND_WRITES = 0o600

type Sending = Pick<RecordedTask, 'source' | 'attempt'>

/** What all attributes of a run share: whether the server refused them before, and whom that is told. */
export interface AttributesRun {
  readonly traits: Pick<ServerTraits, 'refusesAttributes'>
  readonly world: Pick<World, 'emit'>
}

/**
 * Permission bits that a part file is made with: its owner has to open it again, for another lane, or to go on with it.
 * What a target is not to have is taken away by `setAttributes`.
 */
export function partMode(task: Sending): number | undefined {
  const mode = modeOf(task)
  return mode === undefined ? undefined : mode | OWNER_READS_AND_WRITES
}

/**
 * Gives the part file the mode and the mtime that its target is to have, where they differ. Best effort: a refusal is
 * one warning a run. Returns what the server then says of the part file.
 */
export async function setAttributes(
  task: RecordedTask,
  remote: Remote,
  path: string,
  part: RemoteStat
): Promise<RemoteStat> {
  const { source, attempt } = task
  const mtime = attempt.settings.preserveMtime ? Math.floor(source.mtimeMs / 1000) : undefined
  const wanted = {
    ...differentMode(task, part),
    ...(mtime !== undefined && mtime !== part.mtime ? { mtime } : {})
  }
  return (await trySetting(remote, path, wanted, attempt)) ? { ...part, ...wanted } : part
}

/** Gives a target that is in place and unchanged the mode that it is to have today. Best effort, as `setAttributes`. */
export async function updateMode(task: FileTask, target: RemoteStat | undefined): Promise<void> {
  const { lane, progress, attempt } = task
  if (target === undefined) return
  await trySetting(lane.remote, progress.file.remote, differentMode(task, target), attempt)
}

/** Best effort: a refusal is one warning a run. Returns whether it was done. @throws UploadError when the line is lost. */
export async function trySetting(
  remote: Remote,
  path: string,
  wanted: { readonly mode?: number; readonly mtime?: number },
  run: AttributesRun
): Promise<boolean> {
  if (Object.keys(wanted).length === 0 || run.traits.refusesAttributes) return false
  try {
    await remote.setAttributes(path, wanted)
    return true
  } catch (error) {
    if (isTransient(error)) throw error
    warnOnce(run, toUploadError(error, 'server-failure', `set attributes of ${path}`))
    return false
  }
}

function differentMode(task: Sending, { mode: found }: RemoteStat): { mode?: number } {
  const mode = modeOf(task)
  return mode === undefined || mode === (found & PERMISSIONS) ? {} : { mode }
}

/** Permission bits that the target is to have; `undefined`: whatever the server makes. */
function modeOf({ source, attempt }: Sending): number | undefined {
  return attempt.settings.fileMode ?? source.mode
}

function warnOnce({ traits, world }: AttributesRun, { message }: UploadError): void {
  if (traits.refusesAttributes) return
  traits.refusesAttributes = true
  const text = `The server does not set permissions or times (${message}); they stay as it makes them.`
  world.emit({ type: 'warning', text })
}
