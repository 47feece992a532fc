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
  readonly plan: Plan
  readonly world: World
  readonly log: Log
  readonly signal: AbortSignal
}

/**
 * Deletes what is no part of the upload, if the settings say so; in a dry run only lists it. Not before all files are in
 * place: the others may be all that is left of an earlier upload; and not where a line of `paths` matches nothing: a
 * build that did not run must not empty its directory.
 */
export async function deleteOthers(
  results: readonly FileResult[],
  { settings, files, plan, world, log, signal }: DeletionStep
): Promise<Deletion | undefined> {
  const { deletion, selection, target, transfer, isDryRun } = settings
  if (deletion === undefined) return undefined
  log.deleting()
  if (totalsOf(results).failed > 0) {
    log.emit({ type: 'notice', text: 'Nothing is deleted, because not every file is in place.' })
    return undefined
  }
  const [unmatched] = plan.unmatched
  if (unmatched !== undefined) {
    const text = `Nothing is deleted, because what a line uploaded before would go: ${unmatched}`
    log.emit({ type: 'warning', text })
    return undefined
  }
  if (selection.ignoreFile !== undefined && !plan.hasIgnoreFile)
    log.emit({
      type: 'notice',
      text: `There is no ${selection.ignoreFile} here, which would keep files on the server.`
    })
  const root = joinRemote(target.remotePath, [])
  const standingOf = standingIn(files, root, plan.leavesOut)
  const task = { root, standingOf, limit: deletion.limit, retries: transfer.retries, world, signal }
  return isDryRun ? previewDeletion(task) : deleteExtraneous(task)
}
