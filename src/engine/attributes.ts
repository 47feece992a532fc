import { isTransient, toUploadError, type UploadError } from '../core/errors.js'
import type { RemoteStat } from '../core/resume.js'
import type { Attempt } from './context.js'
import type { RecordedTask } from './file-progress.js'
import type { Remote } from './ports.js'

const PERMISSIONS = 0o7777
const OWNER_READS_AND_WRITES = 0o600

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
  const { settings, traits } = attempt
  const mode = modeOf(task)
  const mtime = settings.preserveMtime ? Math.floor(source.mtimeMs / 1000) : undefined
  const wanted = {
    ...(mode !== undefined && mode !== (part.mode & PERMISSIONS) ? { mode } : {}),
    ...(mtime !== undefined && mtime !== part.mtime ? { mtime } : {})
  }
  if (Object.keys(wanted).length === 0 || traits.refusesAttributes) return part
  try {
    await remote.setAttributes(path, wanted)
    return { ...part, ...wanted }
  } catch (error) {
    if (isTransient(error)) throw error
    warnOnce(attempt, toUploadError(error, 'server-failure', `set attributes of ${path}`))
    return part
  }
}

/** Permission bits that the target is to have; `undefined`: whatever the server makes. */
function modeOf({ source, attempt }: Sending): number | undefined {
  return attempt.settings.fileMode ?? source.mode
}

function warnOnce({ traits, world }: Attempt, { message }: UploadError): void {
  if (traits.refusesAttributes) return
  traits.refusesAttributes = true
  const text = `The server does not set permissions or times of files (${message}); they stay as it makes them.`
  world.emit({ type: 'warning', text })
}
