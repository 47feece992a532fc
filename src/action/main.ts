import * as core from '@actions/core'
import { UploadError } from '../core/errors.js'
import type { Report } from '../core/report.js'
import { clock, every } from '../run/clock.js'
import { readSettings } from '../run/inputs.js'
import { Log } from '../run/log.js'
import { HOST_KEYS_UNCHECKED, type Login, readLogin } from '../run/login.js'
import { failureOf, outcomeOf } from '../run/outcome.js'
import { planFiles, type Plan } from '../run/plan-files.js'
import { secretsOf, type Settings } from '../run/settings.js'
import { uploadFiles } from '../run/upload-files.js'
import { readJob, type Job } from './job.js'
import { outputsOf } from './outputs.js'
import { noteState, noteTrouble } from './phases.js'
import { openState } from './step-state.js'
import { formatSummary } from './summary.js'

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
    const job = readJob(process.env)
    const plan = await planFiles({ settings, workspace: job.workspace, log })
    const step = { settings, login, job, log, signal }
    const uploaded =
      plan.files.length === 0 ? { report: NOTHING, keepsState: false } : await uploadStep(plan, step)
    await tellResult(uploaded, step)
  } finally {
    log.close()
  }
}

async function uploadStep(plan: Plan, step: Step): Promise<Uploaded> {
  const { settings, login, job, log } = step
  if (settings.server.hostKeys.check === 'off') core.warning(HOST_KEYS_UNCHECKED)
  const { state, place, isKept } = openState(settings, login.secret, job, {
    isTroubled: false,
    onTrouble: text => {
      log.emit({ type: 'warning', text })
      noteTrouble()
    }
  })
  if (place !== undefined && !settings.isDryRun) noteState(place)
  const report = await uploadFiles(plan, { ...step, state, temp: job.temp })
  return { report, keepsState: isKept() }
}

async function tellResult({ report, keepsState }: Uploaded, { settings, log }: Step): Promise<void> {
  const context = { keepsState, isDryRun: settings.isDryRun }
  setOutputs(report)
  log.result(report, context)
  await writeSummary(formatSummary(report, context))
  const failure = failureOf(report)
  if (failure !== undefined) {
    const text = `${failure.message}\n${outcomeOf(report, context)}`
    throw new UploadError(failure.code, text, { cause: failure })
  }
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
