import * as core from '@actions/core'
import { randomBytes } from 'node:crypto'
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

/** The step: reads the inputs, uploads, and reports. @throws UploadError when not every file is in place. */
export async function main(signal: AbortSignal): Promise<void> {
  setOutputs({ results: [], elapsedMs: 0 }, 'incomplete')
  const settings = readSettings(name => core.getInput(name))
  for (const secret of secretsOf(settings)) core.setSecret(secret)
  const login = readLogin(settings)
  const job = readJob(process.env)
  const log = new Log({ output: core, now: clock.now, every })
  try {
    const files = await planFiles(settings, job, log)
    const report = await uploadFiles(files, settings, login, job, log, signal)
    await tellResult(report, settings, log)
  } finally {
    log.close()
  }
}

async function planFiles(
  { selection, target }: Settings,
  { workspace }: Job,
  log: Log
): Promise<PlannedFile[]> {
  log.planning()
  const { files, notices } = await matchFiles({ ...selection, workspace })
  for (const notice of notices) core.info(notice)
  const planned = planUpload(files, target.remotePath)
  if (planned.length === 0) reportNoFiles(selection)
  return planned
}

function reportNoFiles({ paths, ifNoFilesFound }: Settings['selection']): void {
  const text = `paths: must match at least one file; found none for ${paths.join(', ')}`
  if (ifNoFilesFound === 'error') throw new UploadError('no-files', text)
  if (ifNoFilesFound === 'warn') core.warning(text)
  else core.info(text)
}

async function uploadFiles(
  files: readonly PlannedFile[],
  settings: Settings,
  { connection, secret }: Login,
  job: Job,
  log: Log,
  signal: AbortSignal
): Promise<Report> {
  if (files.length === 0) return { results: [], elapsedMs: 0 }
  if (settings.server.hostKeys.check === 'off') {
    core.warning(
      'host-key-check is off: whoever answers at this address gets the files, and the password if one is given.'
    )
  }
  const state = openState(settings, secret, job, {
    isTroubled: false,
    onTrouble: text => {
      core.warning(text)
      noteTrouble()
    },
    onLine: core.debug
  })
  if (state.place !== undefined) noteState(state.place)

  const readers = new ReaderPool()
  const world: World = {
    connect: stop => connect(connection, stop),
    openSource: file => openLocalSource(file, readers),
    clock,
    random: Math.random,
    newId: () => randomBytes(4).toString('hex'),
    emit: log.emit
  }
  log.uploading(files)
  try {
    const options = { ...settings.transfer, ...settings.target }
    return await upload({
      files,
      server: serverName(settings.server),
      settings: options,
      state,
      world,
      signal
    })
  } finally {
    await readers.close()
  }
}

async function tellResult(report: Report, { state }: Settings, log: Log): Promise<void> {
  const context = { keepsState: state.store !== 'none' }
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
