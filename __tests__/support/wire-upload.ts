import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openLocalSource } from '../../src/adapters/local/local-source.js'
import { ReaderPool } from '../../src/adapters/local/reader-pool.js'
import { connect, type ServerSettings } from '../../src/adapters/sftp/connect.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { FileResult } from '../../src/core/report.js'
import { deriveStateKeys } from '../../src/core/seal.js'
import type { State } from '../../src/engine/checkpoint.js'
import type { UploadSettings, World } from '../../src/engine/context.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { upload } from '../../src/engine/upload.js'

/** What the names of the records are bound to. */
export const WIRE_SERVER = 'a server'

export interface WireUpload extends Partial<UploadSettings> {
  readonly settings: ServerSettings
  /** A directory of which every file is uploaded. */
  readonly directory: string
  /** The directory on the server: `site` by default. */
  readonly remote?: string
  /** None is kept by default. */
  readonly state?: Partial<State>
  readonly world?: Partial<World>
  readonly signal?: AbortSignal
}

export interface WireOutcome {
  readonly results: readonly FileResult[]
  readonly events: readonly UploadEvent[]
}

/**
 * Runs the engine over the real adapters: files of this disk, SFTP over a socket. By default over one connection,
 * without a retry; delays before retries are left out.
 */
export async function uploadOverWire({
  settings,
  directory,
  remote = 'site',
  state,
  world,
  signal = new AbortController().signal,
  ...changes
}: WireUpload): Promise<WireOutcome> {
  const files = await plan(directory, remote)
  const events: UploadEvent[] = []
  const readers = new ReaderPool({ hashesBlocks: true })
  const keys = deriveStateKeys('a secret')
  try {
    const { results } = await upload({
      files,
      server: WIRE_SERVER,
      settings: {
        verify: 'size',
        connections: 1,
        retries: 0,
        fileMode: undefined,
        dirMode: undefined,
        preserveMtime: false,
        publish: 'each',
        wholeDigests: false,
        ...changes
      },
      state: {
        store: undefined,
        keys,
        writer: { run: '1', attempt: 1, runner: 'a' },
        job: '',
        isOnlyWriter: false,
        intervalMs: 0,
        ...state
      },
      world: {
        connect: (signal, turn) => connect(settings, signal, turn),
        openSource: file => openLocalSource(file, readers),
        clock: { now: () => Date.now(), sleep },
        random: Math.random,
        newId: () => randomBytes(4).toString('hex'),
        emit: event => events.push(event),
        ...world
      },
      signal
    })
    return { results, events }
  } finally {
    await readers.close()
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds > 5_000 ? milliseconds : 0)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    })
  })
}

async function plan(directory: string, remote: string): Promise<PlannedFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const locals = entries
    .filter(entry => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name))
  return Promise.all(
    locals.sort().map(async local => {
      return { local, remote: `${remote}${local.slice(directory.length)}`, size: (await stat(local)).size }
    })
  )
}
