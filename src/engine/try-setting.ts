import { isTransient, toUploadError, type UploadError } from '../core/errors.js'
import type { Emit, Remote } from './ports.js'

/** Bits of a mode that can be set. */
export const PERMISSIONS = 0o7777
const SETGID = 0o2000

/** A directory, or a file that is in place, can belong to somebody else than the files that are made. */
export type AttributesOf = 'files' | 'files that are in place' | 'directories'

export interface AttributesTraits {
  /** What the attributes were refused of once: that was said, and they are not asked for again. */
  readonly refusedAttributes: Set<AttributesOf>
}

/** What all attributes of a run share. */
export interface AttributesRun {
  readonly traits: AttributesTraits
  readonly world: { readonly emit: Emit }
}

interface Place {
  readonly remote: Remote
  readonly path: string
  readonly of: AttributesOf
}

/** Best effort: a refusal is one warning a run. Returns whether it was done. @throws UploadError when the line is lost. */
export async function trySetting(
  { remote, path, of }: Place,
  wanted: { readonly mode?: number; readonly mtime?: number },
  run: AttributesRun
): Promise<boolean> {
  if (Object.keys(wanted).length === 0 || run.traits.refusedAttributes.has(of)) return false
  try {
    await remote.setAttributes(path, wanted)
    return true
  } catch (error) {
    if (isTransient(error)) throw error
    warnOnce(run, of, toUploadError(error, 'server-failure', `set attributes of ${path}`))
    return false
  }
}

/**
 * Gives a directory that was just made the mode that was asked for: the server's umask can have taken bits away. A
 * setgid bit that it has from the one above stays.
 */
export async function completeMode(
  remote: Remote,
  directory: string,
  mode: number,
  run: AttributesRun
): Promise<void> {
  const found = await remote.stat(directory)
  if (found === undefined) return
  const wanted = mode | (found.mode & SETGID)
  if (wanted === (found.mode & PERMISSIONS)) return
  await trySetting({ remote, path: directory, of: 'directories' }, { mode: wanted }, run)
}

function warnOnce({ traits, world }: AttributesRun, of: AttributesOf, { message }: UploadError): void {
  if (traits.refusedAttributes.has(of)) return
  traits.refusedAttributes.add(of)
  const text = `The server does not set permissions or times of ${of} (${message}); they stay as they are.`
  world.emit({ type: 'warning', text })
}
