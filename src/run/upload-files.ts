import { randomBytes } from 'node:crypto'
import type { Report } from '../core/report.js'
import type { State } from '../engine/checkpoint.js'
import type { World } from '../engine/context.js'
import { preview } from '../engine/preview.js'
import { upload } from '../engine/upload.js'
import { openLocalSource } from '../adapters/local/local-source.js'
import { ReaderPool } from '../adapters/local/reader-pool.js'
import { connect } from '../adapters/sftp/connect.js'
import { clock } from './clock.js'
import { deleteOthers } from './delete-others.js'
import type { Log } from './log.js'
import type { Login } from './login.js'
import type { Plan } from './plan-files.js'
import type { Settings } from './settings.js'
import { serverName } from './step-name.js'

/** All that an upload of planned files needs besides them. */
interface Run {
  readonly settings: Settings
  readonly login: Login
  readonly state: State
  readonly log: Log
  readonly signal: AbortSignal
}

/** Uploads over the network what lies on this disk, deletes what is no part of it where that is asked for, and tells of it; a dry run only tells. */
export async function uploadFiles(plan: Plan, { settings, login, state, log, signal }: Run): Promise<Report> {
  const { files } = plan
  const readers = new ReaderPool()
  const world: World = {
    connect: (stop, turn) => connect(login.connection, stop, turn),
    openSource: file => openLocalSource(file, readers),
    clock,
    random: Math.random,
    newId: () => randomBytes(4).toString('hex'),
    emit: log.emit
  }
  if (settings.isDryRun) log.previewing(files)
  else log.uploading(files)
  try {
    const options = { ...settings.transfer, ...settings.target }
    const server = serverName(settings.server)
    const task = { files, server, settings: options, state, world, signal }
    const report = await (settings.isDryRun ? preview(task) : upload(task))
    const deletion = await deleteOthers(report.results, { settings, plan, world, log, signal })
    return { ...report, deletion }
  } finally {
    await readers.close()
  }
}
