import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Report } from '../core/report.js'
import type { State } from '../engine/checkpoint.js'
import type { World } from '../engine/context.js'
import type { Connect } from '../engine/ports.js'
import { preview } from '../engine/preview.js'
import { upload } from '../engine/upload.js'
import { openLocalSource } from '../adapters/local/local-source.js'
import { ReaderPool } from '../adapters/local/reader-pool.js'
import { clock } from './clock.js'
import { deleteOthers } from './delete-others.js'
import { Historian } from './history.js'
import type { Log } from './log.js'
import { planChecksums } from './plan-checksums.js'
import type { Plan } from './plan-files.js'
import type { Settings } from './settings.js'
import { serverName } from './step-name.js'
import { fitHeap } from './fit-heap.js'

/** All that an upload of planned files needs besides them. */
interface Run {
  readonly settings: Settings
  readonly connect: Connect
  readonly state: State
  /** A directory for what is needed only meanwhile. */
  readonly temp: string
  readonly log: Log
  readonly signal: AbortSignal
}

/** Uploads over the network what lies on this disk, deletes what is no part of it where that is asked for, and tells of it; a dry run only tells. */
export async function uploadFiles(
  plan: Plan,
  { settings, connect, state, temp, log, signal }: Run
): Promise<Report> {
  const { files, elsewhere } = plan
  const last = planChecksums(files, settings, temp)
  const all = last === undefined ? files : [...files, last.file]
  fitHeap(all)
  const readers = new ReaderPool({ hashesBlocks: state.store !== undefined })
  const historian = new Historian(() => clock.now())
  const world: World = {
    connect,
    openSource: file => openLocalSource(file, readers),
    clock,
    random: Math.random,
    newId: () => randomUUID().slice(0, 8),
    emit: event => {
      historian.take(event)
      log.emit(event)
    }
  }
  if (settings.isDryRun) log.previewing(files)
  else log.uploading(all)
  try {
    const options = { ...settings.transfer, ...settings.target, wholeDigests: last !== undefined }
    const server = serverName(settings.server)
    const task = { files, elsewhere, last, server, settings: options, state, world, signal }
    const report = await (settings.isDryRun ? preview(task) : upload(task))
    const history = historian.tell()
    const deletion = await deleteOthers(report.results, {
      settings,
      files: all,
      plan,
      world,
      log,
      signal
    })
    return { ...report, deletion, history }
  } finally {
    if (last !== undefined) await rm(last.file.local, { force: true })
    await readers.close()
  }
}
