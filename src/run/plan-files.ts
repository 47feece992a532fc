import { UploadError } from '../core/errors.js'
import { bytesOf, planUpload, type PlannedFile } from '../core/plan.js'
import { formatBytes, formatCount, formatNumber } from '../core/quantities.js'
import { filesOfShard, type Shard } from '../core/shard.js'
import { matchFiles, type Match } from '../adapters/local/match-files.js'
import type { Log } from './log.js'
import type { Settings } from './settings.js'

export interface Plan extends Pick<Match, 'unmatched' | 'hasIgnoreFile' | 'leavesOut'> {
  readonly files: readonly PlannedFile[]
  /** What the jobs of the other shards upload. */
  readonly elsewhere: readonly PlannedFile[]
}

/** Where the files are looked for, and who is told of it. */
interface Search {
  readonly settings: Settings
  /** Relative paths begin here. */
  readonly workspace: string
  readonly log: Log
}

/** Finds the files that this job uploads, and says what it leaves out. @throws UploadError `no-files`, `invalid-input`. */
export async function planFiles({ settings, workspace, log }: Search): Promise<Plan> {
  const { selection, target } = settings
  log.planning()
  const { files, notices, ...match } = await matchFiles({ ...selection, workspace })
  // Where no line matches anything, that is what is told.
  const isMissed = files.length > 0 && selection.ifNoFilesFound !== 'ignore'
  for (const text of match.unmatched) log.emit({ type: isMissed ? 'warning' : 'notice', text })
  for (const text of notices) log.emit({ type: 'notice', text })
  const planned = planUpload(files, target.remotePath)
  if (planned.length === 0) reportNoFiles(selection, log)
  const { shard } = selection
  if (shard === undefined) return { ...match, files: planned, elsewhere: [] }
  const share = takeShare(planned, shard, log)
  const own = new Set(share)
  return { ...match, files: share, elsewhere: planned.filter(file => !own.has(file)) }
}

function reportNoFiles({ paths, ifNoFilesFound }: Settings['selection'], log: Log): void {
  const text = `paths: must match at least one file; found none for ${paths.join(', ')}`
  if (ifNoFilesFound === 'error') throw new UploadError('no-files', text)
  log.emit({ type: ifNoFilesFound === 'warn' ? 'warning' : 'notice', text })
}

/** A share without files is a success. */
function takeShare(planned: readonly PlannedFile[], shard: Shard, log: Log): PlannedFile[] {
  const files = filesOfShard(planned, shard)
  const count = `${formatNumber(files.length)} of ${formatCount(planned.length, 'file')}`
  const bytes = `${formatBytes(bytesOf(files))} of ${formatBytes(bytesOf(planned))}`
  log.emit({ type: 'notice', text: `Shard ${shard.index}/${shard.count} has ${count}, ${bytes}.` })
  return files
}
