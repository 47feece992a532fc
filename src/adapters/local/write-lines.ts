import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

const BATCH = 256 * 1024

/** Writes a text file that anybody may read, with the directories above it; never all of it in memory. */
export async function writeLines(path: string, lines: Iterable<string>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, batchesOf(lines), { mode: 0o644 })
}

function* batchesOf(lines: Iterable<string>): Generator<string> {
  let batch = ''
  for (const line of lines) {
    batch += line
    if (batch.length < BATCH) continue
    yield batch
    batch = ''
  }
  yield batch
}
