import { standingIn } from '../core/extraneous.js'
import { joinRemote, type PlannedFile } from '../core/plan.js'
import { totalsOf, type Deletion, type FileResult } from '../core/report.js'
import type { World } from '../engine/context.js'
import { deleteExtraneous, previewDeletion } from '../engine/delete-extraneous.js'
import type { Log } from './log.js'
import type { Plan } from './plan-files.js'
import type { Settings } from './settings.js'

interface DeletionStep {
  readonly settings: Settings
  /** All that belongs on the server. */
  readonly files: readonly PlannedFile[]
  readonly leavesOut: Plan['leavesOut']
  readonly world: World
  readonly log: Log
  readonly signal: AbortSignal
}

/**
 * Deletes what is no part of the upload, if the settings say so; in a dry run only lists it. Not before all files are in
 * place: the others may be all that is left of an earlier upload.
 */
export async function deleteOthers(
  results: readonly FileResult[],
  { settings, files, leavesOut, world, log, signal }: DeletionStep
): Promise<Deletion | undefined> {
  const { deletion, target, transfer, isDryRun } = settings
  if (deletion === undefined) return undefined
  log.deleting()
  if (totalsOf(results).failed > 0) {
    log.emit({ type: 'notice', text: 'Nothing is deleted, because not every file is in place.' })
    return undefined
  }
  const root = joinRemote(target.remotePath, [])
  const standingOf = standingIn(files, root, leavesOut)
  const task = { root, standingOf, limit: deletion.limit, retries: transfer.retries, world, signal }
  return isDryRun ? previewDeletion(task) : deleteExtraneous(task)
}
