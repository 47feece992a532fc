import { isNotFound, isTransient, toUploadError, UploadError } from '../core/errors.js'
import { extraneousAmong, type Extraneous, type Found, type Standing } from '../core/extraneous.js'
import { formatCount } from '../core/quantities.js'
import type { Deletion } from '../core/report.js'
import type { World } from './context.js'
import { forEach } from './for-each.js'
import type { Remote } from './ports.js'
import { retry } from './retry.js'

export interface DeletionTask {
  /** The directory below which everything was uploaded; it stays itself. */
  readonly root: string
  readonly standingOf: (path: string) => Standing
  /** The most files and directories that may be removed. */
  readonly limit: number
  readonly retries: number
  readonly world: Pick<World, 'connect' | 'clock' | 'random' | 'emit'>
  /** Aborted with the reason when the run is told to stop. */
  readonly signal: AbortSignal
}

const DIRECTORIES_AT_ONCE = 8
const REQUESTS_AT_ONCE = 64
const NAMES_SHOWN = 5

/**
 * Removes what is below the root and no part of the upload. Everything is listed before anything is removed: a listing
 * that fails, or more than the limit, means that nothing is. Symbolic links are removed, never followed. Does not throw.
 */
export async function deleteExtraneous(task: DeletionTask): Promise<Deletion> {
  const { names, error } = await overSessions(task, async (remote, removed) => {
    const extraneous = await findExtraneous(task, remote)
    checkLimit(task, extraneous, removed.size)
    await removeAll(task, remote, extraneous, removed)
  })
  return { removed: names, planned: [], error }
}

/** Lists what `deleteExtraneous` would remove, and removes nothing. Does not throw. */
export async function previewDeletion(task: DeletionTask): Promise<Deletion> {
  const { names, error } = await overSessions(task, async (remote, planned) => {
    const isThere = (await remote.stat(task.root)) !== undefined
    const extraneous = isThere ? await findExtraneous(task, remote) : { files: [], directories: [] }
    for (const path of namesOf(extraneous)) {
      planned.add(path)
      task.world.emit({ type: 'notice', text: `Would remove ${path}` })
    }
    checkLimit(task, extraneous, 0)
  })
  return { removed: [], planned: names, error }
}

async function overSessions(
  { retries, world, signal }: DeletionTask,
  work: (remote: Remote, names: Set<string>) => Promise<void>
): Promise<{ names: string[]; error?: UploadError }> {
  const names = new Set<string>()
  const { connect, clock, random, emit } = world
  const policy = { retries, clock, random, emit, reached: () => names.size, signal }
  try {
    await retry(policy, async () => {
      const remote = await connect(signal)
      const close = () => remote.close()
      signal.addEventListener('abort', close)
      try {
        await work(remote, names)
      } finally {
        signal.removeEventListener('abort', close)
        remote.close()
      }
    })
    return { names: [...names] }
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error
    return { names: [...names], error: toUploadError(cause, 'server-failure', 'delete') }
  }
}

async function findExtraneous({ root, standingOf }: DeletionTask, remote: Remote): Promise<Extraneous> {
  const found: Found[] = []
  for (let level = [root]; level.length > 0;) {
    const below: string[] = []
    await forEach(level, DIRECTORIES_AT_ONCE, async directory => {
      for (const entry of await look(remote, directory, standingOf)) {
        found.push(entry)
        if (entry.kind === 'directory' && entry.standing !== 'stays') below.push(entry.path)
      }
    })
    level = below
  }
  return extraneousAmong(found)
}

async function look(
  remote: Remote,
  directory: string,
  standingOf: DeletionTask['standingOf']
): Promise<Found[]> {
  const found: Found[] = []
  await forEach(await namesIn(remote, directory), REQUESTS_AT_ONCE, async name => {
    if (/^\.{0,2}$|\//.test(name)) {
      throw new UploadError('protocol', `list ${directory}: found ${JSON.stringify(name)}, which is no name`)
    }
    const path = `${directory}/${name}`
    const standing = standingOf(path)
    // What a listing says of an entry may be said of what a symbolic link leads to.
    const kind = standing === 'stays' ? 'other' : await remote.kindOf(path)
    if (kind !== undefined) found.push({ path, kind, standing })
  })
  return found
}

/** None where somebody else removed the directory meanwhile. */
async function namesIn(remote: Remote, directory: string): Promise<string[]> {
  try {
    return (await remote.list(directory)).map(({ name }) => name)
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}

function checkLimit({ root, limit }: DeletionTask, extraneous: Extraneous, removed: number): void {
  const names = namesOf(extraneous)
  if (names.length + removed <= limit) return
  const shown = names.slice(0, NAMES_SHOWN).join(', ')
  const more = names.length > NAMES_SHOWN ? ', …' : ''
  throw new UploadError(
    'invalid-input',
    `delete-limit: must be at least the ${formatCount(names.length + removed, 'file or directory', 'files and directories')} below ${root} that ${names.length === 1 ? 'is' : 'are'} no part of the upload; found ${limit} (${shown}${more}). dry-run lists them all.`
  )
}

/** A refusal does not stop the others; one that was refused, and a directory in which something is left, is told at the end. */
async function removeAll(
  { world }: DeletionTask,
  remote: Remote,
  { files, directories }: Extraneous,
  removed: Set<string>
): Promise<void> {
  const refused: UploadError[] = []
  const attempt = async (name: string, removing: Promise<void>) => {
    try {
      await removing
      removed.add(name)
      world.emit({ type: 'notice', text: `Removed ${name}` })
    } catch (error) {
      if (isTransient(error)) throw error
      refused.push(toUploadError(error, 'server-failure', `remove ${name}`))
    }
  }
  await forEach(files, REQUESTS_AT_ONCE, path => attempt(path, remote.remove(path)))
  for (const path of directories) await attempt(`${path}/`, remote.removeDirectory(path))

  const [first] = refused
  if (first === undefined) return
  const all = files.length + directories.length
  throw new UploadError(
    first.code,
    `${first.message}; ${refused.length} of ${formatCount(all, 'file or directory', 'files and directories')} to delete ${refused.length === 1 ? 'is' : 'are'} still there`,
    { cause: first }
  )
}

function namesOf({ files, directories }: Extraneous): string[] {
  return [...files, ...directories.map(path => `${path}/`)]
}
