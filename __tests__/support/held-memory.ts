import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 100
const SWEEP_MS = 20

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/**
 * Does the work, and looks now and then, and at its end, how many bytes of memory are held beyond those before. Garbage
 * does not count, buffers beside the heap do. Rejects as soon as they are more than `most`.
 */
export async function holdingAtMost<T>(most: number, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  await sweep()
  const before = held()
  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined)
      if (held() - before <= most) continue
      await sweep()
      const more = held() - before
      if (more > most) throw new Error(`${more} bytes are held beyond those before, more than ${most}`)
    }
  }
  const watching = watch()
  const tooMuch = new Promise<never>((_resolve, reject) => void watching.catch(reject))
  try {
    return await Promise.race([work(), tooMuch])
  } finally {
    over.abort()
    await watching
  }
}

/** Buffers are freed some time after they were found to be garbage. */
async function sweep(): Promise<void> {
  collectGarbage()
  await sleep(SWEEP_MS)
}

function held(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
