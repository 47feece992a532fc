import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache'
import type { CacheAnswer, CacheOperation } from './cache-task.js'
import { META_NAME } from './state-directory.js'

/**
 * Saves or restores `.upload.meta` with the Actions cache. The client hides most failures: those it prints as warnings,
 * some it throws, and a save that failed gives -1.
 *
 * @throws Error
 */
export async function runCacheOperation(task: CacheOperation): Promise<CacheAnswer> {
  // The client checks for the address only, and throws later.
  if (!isFeatureAvailable() || !process.env.ACTIONS_RUNTIME_TOKEN || !isPermitted(task)) return 'unavailable'
  if (task.operation === 'restore') {
    const matched = await restoreCache([META_NAME], task.key, [...task.prefixes], undefined, true)
    return matched === undefined ? 'nothing' : 'done'
  }
  const id = await saveCache([META_NAME], task.key, undefined, true)
  if (id === -1) throw new Error('the entry was not saved')
  return 'done'
}

/** What the runner says of this run's rights; the client then does nothing, with a line for nobody. */
function isPermitted({ operation }: CacheOperation): boolean {
  const mode = (process.env.ACTIONS_CACHE_MODE ?? '').trim().toLowerCase()
  return !(operation === 'save' ? ['none', 'read'] : ['none', 'write-only']).includes(mode)
}
