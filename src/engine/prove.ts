import { blockRange, type ByteRange } from '../core/blocks.js'
import type { Ledger } from '../core/ledger.js'
import type { RemoteFile, Source } from './ports.js'
import { holdsSameBytes } from './same-bytes.js'
import { tellingSample } from './telling-sample.js'

const MEBIBYTE = 1024 * 1024
/** How much of the latest acknowledged bytes is read back: twice what the largest common window holds in flight. */
const RECENT = 4 * MEBIBYTE
const RANDOM_SAMPLES = 4
const RANDOM_LENGTH = 256 * 1024
const SEAM = 64 * 1024
const MOST_SEAMS = 16
/** Blocks being read and hashed at the same time. */
const AT_ONCE = 4

/**
 * Takes every block out of the ledger whose bytes in today's local file are not the ones that were sent; tells whether
 * there was one.
 */
export async function keepMatchingBlocks(
  ledger: Ledger,
  source: Source,
  signal: AbortSignal
): Promise<boolean> {
  const before = ledger.acknowledgedBytes()
  const blocks = ledger.acknowledged().values()
  const compare = async () => {
    for (const index of blocks) {
      signal.throwIfAborted()
      const digest = await source.digest(blockRange(ledger.fileSize, index))
      if (digest !== ledger.digestOf(index)) ledger.forget(index)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, compare))
  return ledger.acknowledgedBytes() < before
}

/**
 * Reads a sample of the kept blocks back: the first, the first that is telling, the latest acknowledged 4 MiB, and a few
 * at random. `false` when a byte differs from the local file.
 *
 * @throws UploadError when the server refuses to read, or the local file cannot be read.
 */
export async function holdsKeptBlocks(
  part: RemoteFile,
  source: Source,
  ledger: Ledger,
  random: () => number
): Promise<boolean> {
  const kept = ledger.acknowledged()
  const range = (index: number) => blockRange(ledger.fileSize, index)
  const samples: ByteRange[] = kept.slice(0, 1).map(index => first(range(index), MEBIBYTE))
  const telling = await tellingSample(ledger, source)
  if (telling !== undefined) samples.push(telling)
  let recent = 0
  for (const index of [...ledger.recent()].reverse()) {
    if (recent >= RECENT) break
    const sample = last(range(index), MEBIBYTE)
    samples.push(sample)
    recent += sample.length
  }
  for (let drawn = 0; drawn < RANDOM_SAMPLES && kept.length > 0; drawn++) {
    const index = kept[Math.floor(random() * kept.length)] ?? 0
    samples.push(first(range(index), RANDOM_LENGTH))
  }
  return holdsSameBytes(part, source, samples)
}

/** The ranges around which kept and newly sent blocks meet, with the head and the tail of the file; at most 16 seams. */
export function seamRanges(fileSize: number, kept: readonly number[], random: () => number): ByteRange[] {
  const isKept = new Set(kept)
  const seams = kept
    .flatMap(index => [index, index + 1])
    .filter(index => isKept.has(index) !== isKept.has(index - 1))
    .map(index => blockRange(fileSize, index).offset)
    .filter(offset => offset > 0 && offset < fileSize)
  while (seams.length > MOST_SEAMS) seams.splice(Math.floor(random() * seams.length), 1)
  return [
    clip(0, SEAM, fileSize),
    ...seams.map(offset => clip(offset - SEAM, 2 * SEAM, fileSize)),
    clip(fileSize - SEAM, SEAM, fileSize)
  ]
}

function first({ offset, length }: ByteRange, most: number): ByteRange {
  return { offset, length: Math.min(length, most) }
}

function last({ offset, length }: ByteRange, most: number): ByteRange {
  const kept = Math.min(length, most)
  return { offset: offset + length - kept, length: kept }
}

function clip(offset: number, length: number, fileSize: number): ByteRange {
  const from = Math.max(0, offset)
  return { offset: from, length: Math.min(offset + length, fileSize) - from }
}
