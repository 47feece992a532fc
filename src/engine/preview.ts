import type { Report } from '../core/report.js'
import { proveLocally, refuseDirectory, weigh } from './decide.js'
import type { StateStore } from './ports.js'
import { type BringFile, upload, type UploadTask } from './upload.js'

/**
 * A dry run: decides for every file what `upload` would, over one connection, and writes nothing: no directory, no part
 * file, no state, no last file. A file that would be uploaded is `planned` in the report.
 */
export function preview(task: UploadTask): Promise<Report> {
  const { settings, state } = task
  const { store } = state
  const read: StateStore | undefined = store && {
    load: signal => store.load(signal),
    save: () => Promise.resolve()
  }
  return upload(
    {
      ...task,
      last: undefined,
      settings: { ...settings, connections: 1, publish: 'each' },
      state: { ...state, store: read, intervalMs: 0 }
    },
    previewFile
  )
}

const previewFile: BringFile = async (progress, attempt) => {
  const source = await attempt.world.openSource(progress.file)
  try {
    const { file } = progress
    const identity = await proveLocally({ progress, source, attempt })
    const { decision, kept } = await attempt.lanes.use(async lane => {
      attempt.signal.throwIfAborted()
      // An upload learns of it when it creates the part file.
      refuseDirectory(file, await lane.remote.stat(file.remote))
      return weigh({ progress, source, lane, attempt }, identity)
    })
    attempt.world.emit({ type: 'previewed', file, decision, keptBytes: kept })
    return decision.action === 'skip' ? 'skipped' : 'planned'
  } finally {
    await source.close()
  }
}
