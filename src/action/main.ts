import * as core from '@actions/core'
import { reasonOf, UploadError } from '../core/errors.js'
import { explain } from '../core/failure-help.js'
import type { Report } from '../core/report.js'
import { connect } from '../adapters/sftp/connect.js'
import { dialogues } from '../adapters/sftp/dialogue.js'
import { SharedSessions } from '../adapters/sftp/shared-sessions.js'
import { clock, every } from '../run/clock.js'
import { Log } from '../run/log.js'
import { type Login, readLogin, risksOf } from '../run/login.js'
import { failureOf, outcomeOf } from '../run/outcome.js'
import { planFiles, type Plan } from '../run/plan-files.js'
import { printable } from '../run/printable.js'
import { secretsOf, type Settings } from '../run/settings.js'
import { uploadFiles } from '../run/upload-files.js'
import { givenSettings } from './given-settings.js'
import { readJob, type Job } from './job.js'
import { outputsOf } from './outputs.js'
import { noteEnd, noteState, noteTrouble } from './phases.js'
import { openState } from './step-state.js'
import { formatFailure, formatSummary } from './summary.js'

/** After a cancel the runner waits 7.5 s, and what is in flight has had its second. */
const HURRIED = { eachMs: 3_000, allMs: 3_000 }
const PATIENT = { eachMs: 5_000, allMs: 10_000 }

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
  const log = new Log({ output: core, now: () => clock.now(), every })
  try {
    const { step, plan } = await summarizingFailure(() => prepare(log, signal))
    const uploaded =
      plan.files.length === 0 ? { report: NOTHING, keepsState: false } : await uploadStep(plan, step)
    await tellResult(uploaded, step)
  } finally {
    log.close()
  }
}

/** A failure before the upload has no report, but a summary. */
async function summarizingFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof UploadError)) throw error
    await writeSummary(formatFailure(error))
    throw new UploadError(error.code, explain(error), { cause: error })
  }
}

async function prepare(log: Log, signal: AbortSignal): Promise<{ step: Step; plan: Plan }> {
  const settings = givenSettings()
  for (const secret of secretsOf(settings)) core.setSecret(secret)
  const login = await readLogin(settings, core.isDebug() ? dialogues(debug) : undefined)
  const job = readJob(process.env)
  const plan = await planFiles({ settings, workspace: job.workspace, log })
  return { step: { settings, login, job, log, signal }, plan }
}

function debug(line: string): void {
  core.debug(printable(line))
}

async function uploadStep(plan: Plan, step: Step): Promise<Uploaded> {
  const { settings, login, job, log, signal } = step
  for (const text of risksOf(settings.server)) log.emit({ type: 'warning', text })
  if (login.secret === undefined && settings.state.store !== 'none') {
    log.emit({
      type: 'warning',
      text: 'No state is kept, and a re-run starts from zero: the agent has no ed25519 or RSA key whose signature could seal it. Such a key, the input key or password keeps it.'
    })
  }
  const sessions = new SharedSessions((stop, turn) => connect(login.connection, stop, turn))
  const { kept, ...state } = openState({
    settings,
    secret: login.secret,
    job,
    sessions,
    isTroubled: false,
    lastSaveLimits: () => (signal.aborted ? HURRIED : PATIENT),
    onNotice: text => log.emit({ type: 'notice', text }),
    onTrouble: text => {
      log.emit({ type: 'warning', text })
      noteTrouble()
    }
  })
  if (kept !== undefined && !settings.isDryRun) noteState(kept.directory)
  const report = await uploadFiles(plan, { ...step, connect: sessions.connect, state, temp: job.temp })
  noteEnd()
  return { report, keepsState: kept?.store.isKept === true }
}

async function tellResult({ report, keepsState }: Uploaded, { settings, log }: Step): Promise<void> {
  const context = { keepsState, isDryRun: settings.isDryRun }
  setOutputs(report)
  log.result(report, context)
  await writeSummary(formatSummary(report, context))
  const failure = failureOf(report)
  if (failure !== undefined) {
    const text = `${explain(failure)}\n${outcomeOf(report, context)}`
    throw new UploadError(failure.code, text, { cause: failure })
  }
}

function setOutputs(report: Report, state?: 'incomplete'): void {
  const outputs = { ...outputsOf(report), ...(state === undefined ? {} : { state }) }
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}

/** Away from a runner there is no file for it. What is in place stays so when it cannot be written. */
async function writeSummary(markdown: string): Promise<void> {
  const path = process.env.GITHUB_STEP_SUMMARY
  if (path === undefined || path === '') return
  try {
    await core.summary.addRaw(markdown).write()
  } catch (error) {
    core.warning(printable(`The job summary cannot be written: ${reasonOf(error)}`))
  }
}
