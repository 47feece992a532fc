import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openLocalSource } from '../../src/adapters/local/local-source.js'
import { ReaderPool } from '../../src/adapters/local/reader-pool.js'
import { noStore } from '../../src/adapters/state/no-store.js'
import { connect, type ServerSettings } from '../../src/adapters/sftp/connect.js'
import type { VerifyMode } from '../../src/core/identity.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { FileResult } from '../../src/core/report.js'
import { deriveStateKeys } from '../../src/core/seal.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { upload } from '../../src/engine/upload.js'

export interface WireUpload {
  readonly settings: ServerSettings
  /** A directory of which every file is uploaded, to `site/` on the server. */
  readonly directory: string
  readonly verify?: VerifyMode
  /** No retry by default. */
  readonly retries?: number
  readonly connections?: number
}

export interface WireOutcome {
  readonly results: readonly FileResult[]
  readonly events: readonly UploadEvent[]
}

/** Runs the engine over the real adapters: files of this disk, SFTP over a socket. Delays before retries are left out. */
export async function uploadOverWire({
  settings,
  directory,
  verify = 'size',
  retries = 0,
  connections = 1
}: WireUpload): Promise<WireOutcome> {
  const names = (await readdir(directory)).sort()
  const files = await Promise.all(names.map(name => plan(directory, name)))
  const events: UploadEvent[] = []
  const readers = new ReaderPool()
  const keys = deriveStateKeys('a secret')
  const sleep = (milliseconds: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds > 5_000 ? milliseconds : 0)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      })
    })
  try {
    const { results } = await upload({
      files,
      server: 'a server',
      settings: {
        verify,
        connections,
        retries,
        fileMode: undefined,
        dirMode: undefined,
        preserveMtime: false,
        publish: 'each',
        wholeDigests: false
      },
      state: { store: noStore, keys, writer: { run: '1', attempt: 1, runner: 'a' }, intervalMs: 0 },
      world: {
        connect: (signal, onHostProven) => connect(settings, signal, onHostProven),
        openSource: file => openLocalSource(file, readers),
        clock: { now: () => Date.now(), sleep },
        random: Math.random,
        newId: () => randomBytes(4).toString('hex'),
        emit: event => events.push(event)
      },
      signal: new AbortController().signal
    })
    return { results, events }
  } finally {
    await readers.close()
  }
}

async function plan(directory: string, name: string): Promise<PlannedFile> {
  const local = join(directory, name)
  return { local, remote: `site/${name}`, size: (await stat(local)).size }
}
