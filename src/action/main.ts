import * as core from '@actions/core'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { UploadError } from '../core/errors.js'
import { planUpload, type PlannedFile } from '../core/plan.js'
import { totalsOf, type Report } from '../core/report.js'
import type { World } from '../engine/context.js'
import type { Clock } from '../engine/ports.js'
import { upload } from '../engine/upload.js'
import { openLocalSource } from '../adapters/local/local-source.js'
import { matchFiles } from '../adapters/local/match-files.js'
import { ReaderPool } from '../adapters/local/reader-pool.js'
import { connect } from '../adapters/sftp/connect.js'
import { readSettings } from './inputs.js'
import { readJob, type Job } from './job.js'
import { Log } from './log.js'
import { readLogin, type Login } from './login.js'
import { outcomeOf } from './outcome.js'
import { outputsOf } from './outputs.js'
import { noteState, noteTrouble } from './phases.js'
import { secretsOf, type Settings } from './settings.js'
import { openState, serverName } from './step-state.js'
import { formatSummary } from './summary.js'

const clock: Clock = {
  now: () => Date.now(),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

const NOTHING: Report = { results: [], elapsedMs: 0 }

/** All that the steps of main share. */
interface Step {
  readonly settings: Settings
  readonly login: Login
  readonly job: Job
  readonly log: Log
  readonly signal: AbortSignal
}

interface Uploaded {
  readonly report: Report
  /** A re-run will find the state of this attempt. */
  readonly keepsState: boolean
}

/** The step: reads the inputs, uploads, and reports. @throws UploadError when not every file is in place. */
export async function main(signal: AbortSignal): Promise<void> {
  setOutputs(NOTHING, 'incomplete')
  const settings = readSettings(name => core.getInput(name))
  for (const secret of secretsOf(settings)) core.setSecret(secret)
  const login = readLogin(settings)
  const log = new Log({ output: core, now: () => clock.now(), every })
  try {
    const step = { settings, login, job: readJob(process.env), log, signal }
    const files = await planFiles(step)
    const uploaded =
      files.length === 0 ? { report: NOTHING, keepsState: false } : await uploadFiles(files, step)
    await tellResult(uploaded, log)
  } finally {
    log.close()
  }
}

async function planFiles({ settings, job, log }: Step): Promise<PlannedFile[]> {
  const { selection, target } = settings
  log.planning()
  const { files, notices } = await matchFiles({ ...selection, workspace: job.workspace })
  for (const text of notices) log.emit({ type: 'notice', text })
  const planned = planUpload(files, target.remotePath)
  if (planned.length === 0) reportNoFiles(selection, log)
  return planned
}

function reportNoFiles({ paths, ifNoFilesFound }: Settings['selection'], log: Log): void {
  const text = `paths: must match at least one file; found none for ${paths.join(', ')}`
  if (ifNoFilesFound === 'error') throw new UploadError('no-files', text)
  log.emit({ type: ifNoFilesFound === 'warn' ? 'warning' : 'notice', text })
}

async function uploadFiles(
  files: readonly PlannedFile[],
  { settings, login, job, log, signal }: Step
): Promise<Uploaded> {
  const { connection, secret } = login
  if (settings.server.hostKeys.check === 'off') {
    core.warning(
      'host-key-check is off: whoever answers at this address gets the files, and the password if one is given.'
    )
  }
  const { state, place, isKept } = openState(settings, secret, job, {
    isTroubled: false,
    onTrouble: text => {
      log.emit({ type: 'warning', text })
      noteTrouble()
    }
  })
  if (place !== undefined) noteState(place)

  const readers = new ReaderPool()
  const world: World = {
    connect: (stop, turn) => connect(connection, stop, turn),
    openSource: file => openLocalSource(file, readers),
    clock,
    random: Math.random,
    newId: () => randomUUID().slice(0, 8),
    emit: log.emit
  }
  log.uploading(files)
  try {
    const options = { ...settings.transfer, ...settings.target }
    const server = serverName(settings.server)
    const report = await upload({ files, server, settings: options, state, world, signal })
    return { report, keepsState: isKept() }
  } finally {
    await readers.close()
  }
}

async function tellResult({ report, keepsState }: Uploaded, log: Log): Promise<void> {
  const context = { keepsState }
  const { failed } = totalsOf(report.results)
  setOutputs(report)
  log.result(report, context)
  await writeSummary(formatSummary(report, context))
  const first = report.results.find(({ error }) => error !== undefined)?.error
  if (failed > 0)
    throw new UploadError(
      first?.code ?? 'server-failure',
      `${first?.message ?? ''}\n${outcomeOf(report, context)}`
    )
}

function setOutputs(report: Report, state?: 'incomplete'): void {
  const outputs = { ...outputsOf(report), ...(state === undefined ? {} : { state }) }
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}

/** Away from a runner there is no file for it. */
async function writeSummary(markdown: string): Promise<void> {
  if (process.env.GITHUB_STEP_SUMMARY === undefined) return
  await core.summary.addRaw(markdown).write()
}

function every(milliseconds: number, run: () => void): () => void {
  const timer = setInterval(run, milliseconds)
  return () => clearInterval(timer)
}
