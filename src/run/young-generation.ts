import { setFlagsFromString } from 'node:v8'
import { bytesOf, type PlannedFile } from '../core/plan.js'

/** Bytes of a file, on average, up to which objects are what memory is needed for, not buffers. */
const SMALL_ON_AVERAGE = 64 * 1024

/** Lets V8's young generation grow again, which small-heap.ts keeps small, where many small files make many short-lived objects. */
export function fitYoungGeneration(files: readonly PlannedFile[]): void {
  if (bytesOf(files) <= files.length * SMALL_ON_AVERAGE) setFlagsFromString('--semi-space-growth-factor=2')
}
