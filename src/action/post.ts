import * as core from '@actions/core'
import { reasonOf } from '../core/errors.js'
import { closeState } from '../engine/checkpoint.js'
import { connect } from '../adapters/sftp/connect.js'
import { SharedSessions } from '../adapters/sftp/shared-sessions.js'
import { isCopied, readMeta, writeMeta } from '../adapters/state/state-directory.js'
import { readLogin } from '../run/login.js'
import { printable } from '../run/printable.js'
import { givenSettings } from './given-settings.js'
import { readJob } from './job.js'
import { recallState } from './phases.js'
import { openState } from './step-state.js'

/** Nobody waits for it: the runner gives it minutes, even after a cancel. */
const LIMITS = { eachMs: 15_000, allMs: 30_000 }

/**
 * After the job, whatever became of it: saves the state of a step that could not do so itself, because it was killed or
 * nothing took it. Nothing here fails the job.
 */
export async function post(): Promise<void> {
  try {
    const recalled = recallState()
    if (recalled === undefined) return
    const { directory, isTroubled, hasEnded } = recalled
    const meta = await readMeta(directory)
    if (meta === undefined || (hasEnded && (await isCopied(directory)))) return

    const settings = givenSettings()
    const { connection, secret } = await readLogin(settings)
    const sessions = new SharedSessions(stop => connect(connection, stop))
    const { keys, kept } = openState({
      settings,
      secret,
      job: readJob(process.env),
      sessions,
      isTroubled,
      lastSaveLimits: () => LIMITS,
      onNotice: text => core.info(printable(text)),
      onTrouble: text => core.warning(printable(text))
    })
    // Without a secret main left no state.
    if (kept === undefined) return
    const ended = closeState(keys, meta, Date.now())
    if (ended !== undefined) await writeMeta(directory, ended)
    await kept.store.copy(ended ?? meta)
    if (kept.store.isKept) core.info('The state of this upload is saved: a re-run continues from it.')
  } catch (error) {
    const reason = reasonOf(error)
    core.warning(`The state of this upload was not saved: ${printable(reason)}`)
  }
}
