import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { bytesOf, type PlannedFile } from '../core/plan.js'

/** Bytes of a file, on average, up to which objects are what memory is needed for, not buffers. */
const SMALL_ON_AVERAGE = 64 * 1024
/** Bytes of both halves of the young generation; V8 would take 64 MiB, which is hardly faster. */
const ENOUGH = 32 * 1024 * 1024
const MANY_FILES = 10_000
/** By how much the heap may outgrow what was in use, in percent, where there are many files; V8 would double it. */
const GROWTH = 40

/** Fits V8's heap to many small files, which make many short-lived objects: see docs/decisions/small-files.md. */
export function fitHeap(files: readonly PlannedFile[]): void {
  if (bytesOf(files) > files.length * SMALL_ON_AVERAGE) return
  if (files.length > MANY_FILES) setFlagsFromString(`--heap-growing-percent=${GROWTH}`)
  // What is made at the beginning stays, and tells nothing of what will be short-lived.
  setImmediate(letYoungGenerationGrow)
}

/** Which small-heap.ts keeps small for the sake of large files. */
function letYoungGenerationGrow(): void {
  setYoungGrowth(2)
  const observer = new PerformanceObserver(() => {
    const size =
      getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0
    if (size < ENOUGH) return
    setYoungGrowth(1)
    observer.disconnect()
  })
  observer.observe({ entryTypes: ['gc'] })
}

function setYoungGrowth(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}
