import type { PlannedFile } from '../../core/plan.js'
import type { Source } from '../../engine/ports.js'
import { openLongSource } from './long-source.js'
import type { ReaderPool } from './reader-pool.js'
import { openShortSource } from './short-source.js'

/** Bytes of a file that is read into memory as a whole. */
const SHORT = 64 * 1024

/** Opens a local file for the time of its upload. @throws UploadError `source-unreadable`, `source-changed`. */
export async function openLocalSource(file: PlannedFile, readers: ReaderPool): Promise<Source> {
  return file.size <= SHORT ? openShortSource(file) : openLongSource(file, readers)
}
