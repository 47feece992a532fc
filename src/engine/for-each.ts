import { drain } from './drain.js'

/** Works on up to `atOnce` items at the same time; after a failure nothing new is begun, and it throws when all ended. */
export async function forEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>
): Promise<void> {
  const left = items.values()
  let failed = false
  const worker = async () => {
    for (const item of left) {
      if (failed) return
      try {
        await work(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await drain(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}
