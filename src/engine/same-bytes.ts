import { splitRange, type ByteRange } from '../core/blocks.js'
import type { RemoteFile, Source } from './ports.js'

const PIECE = 256 * 1024
/** Pieces being read at once: enough for 16 MiB/s at 100 ms, and a bound for memory. */
const AT_ONCE = 8

/** Reads the ranges back and compares them with the local bytes. @throws UploadError when either cannot be read. */
export async function holdsSameBytes(
  file: RemoteFile,
  source: Source,
  ranges: Iterable<ByteRange>
): Promise<boolean> {
  const pieces = piecesOf(ranges)
  let same = true
  const compare = async () => {
    for (let next = pieces.next(); same && !next.done; next = pieces.next()) {
      const [there, here] = await Promise.all([file.read(next.value), source.read(next.value)])
      if (!equal(there, here)) same = false
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, compare))
  return same
}

function* piecesOf(ranges: Iterable<ByteRange>): Generator<ByteRange> {
  for (const range of ranges) yield* splitRange(range, PIECE)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}
