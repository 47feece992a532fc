import { randomBytes } from 'node:crypto'
import { openLocalSource } from '../../src/adapters/local/local-source.js'
import { ReaderPool } from '../../src/adapters/local/reader-pool.js'
import { claimIds } from '../../src/core/claim.js'
import type { FileResult } from '../../src/core/report.js'
import { deriveStateKeys, openSealed } from '../../src/core/seal.js'
import { parseUploadMeta, writerIsGone } from '../../src/core/upload-meta.js'
import { hurriedClock } from '../support/hurried-clock.js'
import type { Link } from '../support/link.mjs'
import type { MemoryStore } from '../support/memory-store.js'
import { settingsFor } from '../support/sftp-settings.js'
import type { SftpServer } from '../support/sftp-server.mjs'
import { uploadOverWire } from '../support/wire-upload.js'
import type { LocalFiles } from './local-files.js'
import type { Scenario } from './scenario.js'
import type { Troubles } from './troubles.js'
import { recordsIn, type Watch } from './watch.js'

export const keys = deriveStateKeys('a secret')
/** What is hurried: delays between attempts, checkpoints, the time to drain. */
const clock = hurriedClock(20)
const LONGEST_RUN_MS = 40_000
/** Threads that read for all rounds. */
const readers = new ReaderPool({ hashesBlocks: true })

export interface Run {
  readonly local: LocalFiles
  readonly store: MemoryStore
  readonly writer: { readonly run: string; readonly attempt: number; readonly runner: string }
  readonly troubles: Troubles
  readonly connections: number
  readonly retries: number
  readonly intervalMs: number
  readonly patienceMs: number
  /** What other runs may put in place meanwhile. */
  readonly rivals: readonly LocalFiles[]
  /** The server cannot replace a file in one step: it is moved aside for a moment. */
  readonly swaps: boolean
}

interface Stage {
  readonly server: SftpServer
  readonly link: Link
  readonly scenario: Scenario
  readonly watch: Watch
  /** Of this attempt and of earlier ones. */
  readonly everyRival: readonly LocalFiles[]
}

export function endRuns(): Promise<void> {
  return readers.close()
}

/** Runs the engine over the real adapters and a socket, and has what it saves and reports compared with the server's disk. */
export async function playRun(
  { local, store, writer, troubles, rivals, swaps, patienceMs, ...more }: Run,
  stage: Stage
): Promise<readonly FileResult[]> {
  const { server, link, scenario, watch, everyRival } = stage
  const marks = local.marks()
  const remotes = local.names.map(name => `site/${name}`)
  const ids = new Set<string>()
  const before = server.stats.bytesWritten
  const { verify, publish, preserveMtime } = scenario
  const upload = uploadOverWire({
    settings: settingsFor(server, {
      port: link.port,
      connectTimeoutMs: patienceMs,
      stallTimeoutMs: patienceMs
    }),
    directory: local.directory,
    verify,
    publish,
    preserveMtime,
    connections: more.connections,
    retries: more.retries,
    state: {
      keys,
      writer,
      job: '',
      isOnlyWriter: false,
      intervalMs: more.intervalMs,
      store: {
        load: async () => {
          const texts = await store.load()
          // Part files of a run that may be at work are not its own.
          const isOwn = (sealed: string) =>
            rivals.length === 0 && writerIsGone(parseUploadMeta(openSealed(keys, sealed)), writer)
          for (const sealed of texts.filter(isOwn)) {
            for (const { partId } of recordsIn(keys, sealed, remotes).values()) {
              const { id, earlier } = claimIds(partId, { ...writer, job: '' })
              for (const each of [partId, id, ...earlier]) ids.add(each)
            }
          }
          return texts
        },
        save: async (sealed, signal) => {
          watch.checkpoint(sealed, remotes)
          troubles.checkpoint()
          // A process that is gone saves nothing.
          if (!troubles.isKilled) await store.save(sealed, signal)
        }
      }
    },
    world: {
      clock,
      openSource: file => openLocalSource(file, readers),
      newId: () => {
        const id = randomBytes(4).toString('hex')
        ids.add(id)
        return id
      }
    },
    signal: troubles.signal
  })
  const { results } = await withinLimit(upload)
  if (troubles.isKilled) return results

  if (results.length !== remotes.length)
    watch.broken.add(`${results.length} results of ${remotes.length} files`)
  // The other run does so with what this one put in place.
  const areSwapping = rivals.length > 0 && swaps
  for (const result of results) {
    const name = result.file.remote.slice('site/'.length)
    const own = local.versionsOf(name, marks.get(name))
    // SFTP knows times in seconds: another run's file of the same size and second is taken for the own one.
    const others = result.status === 'skipped' ? everyRival : rivals
    const moved = areSwapping ? ['nothing'] : []
    watch.result(result, [...own, ...others.flatMap(rival => rival.versionsOf(name)), ...moved])
  }
  if (!troubles.haveHappened && !areSwapping) {
    const finished = results.filter(({ status }) => status !== 'failed').map(({ file }) => file.remote)
    watch.orphans(finished, ids)
  }
  const sent = results.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
  const written = server.stats.bytesWritten - before
  if (sent > written) watch.broken.add(`P4: ${sent} bytes reported as sent, ${written} came`)
  return results
}

async function withinLimit<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it hangs: no end within ${LONGEST_RUN_MS / 1000} s`)),
      LONGEST_RUN_MS
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
