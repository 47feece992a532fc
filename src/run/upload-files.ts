import { randomBytes } from 'node:crypto'
import type { PlannedFile } from '../core/plan.js'
import type { Report } from '../core/report.js'
import type { State } from '../engine/checkpoint.js'
import type { World } from '../engine/context.js'
import { upload } from '../engine/upload.js'
import { openLocalSource } from '../adapters/local/local-source.js'
import { ReaderPool } from '../adapters/local/reader-pool.js'
import { connect } from '../adapters/sftp/connect.js'
import { clock } from './clock.js'
import type { Log } from './log.js'
import type { Login } from './login.js'
import type { Settings } from './settings.js'
import { serverName } from './step-name.js'

/** All that an upload of planned files needs. */
interface Run {
  readonly settings: Settings
  readonly login: Login
  readonly state: State
  readonly log: Log
  readonly signal: AbortSignal
}

/** Uploads over the network what lies on this disk, and tells of it. */
export async function uploadFiles(
  files: readonly PlannedFile[],
  { settings, login, state, log, signal }: Run
): Promise<Report> {
  const readers = new ReaderPool()
  const world: World = {
    connect: (stop, turn) => connect(login.connection, stop, turn),
    openSource: file => openLocalSource(file, readers),
    clock,
    random: Math.random,
    newId: () => randomBytes(4).toString('hex'),
    emit: log.emit
  }
  log.uploading(files)
  try {
    const options = { ...settings.transfer, ...settings.target }
    const server = serverName(settings.server)
    return await upload({ files, server, settings: options, state, world, signal })
  } finally {
    await readers.close()
  }
}
