import type { RemoteStat } from '../core/resume.js'
import type { FileTask, RecordedTask } from './file-progress.js'
import type { Remote } from './ports.js'
import { PERMISSIONS, trySetting } from './try-setting.js'

const OWNER_READS_AND_WRITES = 0o600
/** Of a server that does not tell modes. */
const UNKNOWN = 0

type Sending = Pick<RecordedTask, 'source' | 'attempt'>

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
  const isSet = await trySetting({ remote, path, of: 'files' }, wanted, attempt)
  return isSet ? { ...part, ...wanted } : part
}

/**
 * Gives a target that is in place and unchanged the mode that it is to have today. Best effort, as `setAttributes`; a
 * server that says yes and keeps a mode of its own is not asked for the others.
 */
export async function updateMode(task: FileTask, target: RemoteStat | undefined): Promise<void> {
  const { lane, progress, attempt } = task
  if (target === undefined || target.mode === UNKNOWN) return
  const { remote } = lane
  const path = progress.file.remote
  const of = 'files that are in place'
  if (!(await trySetting({ remote, path, of }, differentMode(task, target), attempt))) return
  const now = await remote.stat(path)
  if (now !== undefined && differentMode(task, now).mode !== undefined)
    attempt.traits.refusedAttributes.add(of)
}

function differentMode(task: Sending, { mode: found }: RemoteStat): { mode?: number } {
  const mode = modeOf(task)
  return mode === undefined || mode === (found & PERMISSIONS) ? {} : { mode }
}

/** Permission bits that the target is to have; `undefined`: whatever the server makes. */
function modeOf({ source, attempt }: Sending): number | undefined {
  return attempt.settings.fileMode ?? source.mode
}
