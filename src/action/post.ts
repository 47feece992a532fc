import * as core from '@actions/core'
import { deriveStateKeys } from '../core/seal.js'
import { closeState } from '../engine/checkpoint.js'
import { isCopied, readMeta, writeMeta } from '../adapters/state/state-directory.js'
import { actionIn, readSettings } from '../run/inputs.js'
import { readLogin } from '../run/login.js'
import { printable } from '../run/printable.js'
import { recallState } from './phases.js'
import { cacheStore } from './step-state.js'

/**
 * After the job, whatever became of it: brings the state of a step that could not do so itself, because it was killed
 * or the cache did not answer, into the cache. Nothing here fails the job.
 */
export async function post(): Promise<void> {
  try {
    const recalled = recallState()
    if (recalled === undefined || (await isCopied(recalled.place.directory))) return
    const { place, isTroubled } = recalled
    const meta = await readMeta(place.directory)
    if (meta === undefined) return
    const settings = readSettings(name => core.getInput(name), actionIn(process.env))
    const { secret } = await readLogin(settings)
    // Without a secret main left no state.
    if (secret === undefined) return
    const ended = closeState(deriveStateKeys(secret), meta)
    if (ended !== undefined) await writeMeta(place.directory, ended)
    const store = cacheStore(place, { isTroubled, onTrouble: text => core.warning(printable(text)) })
    if (await store.copyToCache()) core.info('The state of this upload is saved: a re-run continues from it.')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    core.warning(`The state of this upload was not saved: ${printable(reason)}`)
  }
}
