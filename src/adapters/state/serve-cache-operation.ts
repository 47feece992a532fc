import { reasonOf } from '../../core/errors.js'
import { OPERATION_VARIABLE, type CacheOperation } from './cache-task.js'

/** Whether this process was started to do one cache operation: somebody waits for the answer. */
export function isCacheProcess(): boolean {
  return process.env[OPERATION_VARIABLE] !== undefined && process.send !== undefined
}

/** Does the operation and tells the parent; ends the process, whatever the client has left open. */
export async function serveCacheOperation(): Promise<void> {
  let message: { answer?: string; reason?: string }
  try {
    // The client names its files by their way from there, and finds them without the symbolic links of the path.
    process.env.GITHUB_WORKSPACE = process.cwd()
    // Only this process needs the client, which is most of the bundle.
    const { runCacheOperation } = await import('./cache-operation.js')
    // Written by the parent, which is this same program.
    const task = JSON.parse(process.env[OPERATION_VARIABLE] ?? '') as CacheOperation & { limitMs: number }
    // The parent may be gone by then.
    setTimeout(() => process.exit(1), task.limitMs).unref()
    message = { answer: await runCacheOperation(task) }
  } catch (error) {
    message = { reason: reasonOf(error) }
  }
  process.send?.(message, () => process.exit(0))
}
