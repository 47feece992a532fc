import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export interface ProcessWatch {
  /** For the Node programs that are watched. */
  readonly environment: { readonly NODE_OPTIONS: string }
  /**
   * The command lines of these programs, and the command lines and variables of all that they and the Node programs
   * among it have started, however short it lived.
   */
  readonly noted: () => Promise<string>
  readonly close: () => Promise<void>
}

/** Has Node programs note each process that they start, before it is started. */
export async function watchProcesses(): Promise<ProcessWatch> {
  const directory = await mkdtemp(join(tmpdir(), 'processes-'))
  const notes = join(directory, 'notes')
  await writeFile(notes, '')
  const preload = pathToFileURL(join(import.meta.dirname, 'note-processes.mjs'))
  preload.searchParams.set('to', notes)
  return {
    environment: { NODE_OPTIONS: `--import=${preload.href}` },
    noted: () => readFile(notes, 'utf8'),
    close: () => rm(directory, { recursive: true, force: true })
  }
}
