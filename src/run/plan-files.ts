import { UploadError } from '../core/errors.js'
import { planUpload, type PlannedFile } from '../core/plan.js'
import { matchFiles } from '../adapters/local/match-files.js'
import type { Log } from './log.js'
import type { Settings } from './settings.js'

/** Where the files are looked for, and who is told of it. */
interface Search {
  readonly settings: Settings
  /** Relative paths begin here. */
  readonly workspace: string
  readonly log: Log
}

/** Finds the files and gives each its remote path. @throws UploadError `no-files`, `invalid-input`. */
export async function planFiles({ settings, workspace, log }: Search): Promise<PlannedFile[]> {
  const { selection, target } = settings
  log.planning()
  const { files, notices } = await matchFiles({ ...selection, workspace })
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
