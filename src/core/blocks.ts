/** A run of bytes in a file: `offset` and `length` in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

const MEBIBYTE = 1024 * 1024
const MAX_BLOCKS = 4096

/**
 * The block size of a file, in bytes: 1 MiB, doubled until the file has at most 4,096 blocks, so that a ledger
 * stays small whatever the file's size.
 */
export function blockSizeFor(fileSize: number): number {
  let size = MEBIBYTE
  while (fileSize > size * MAX_BLOCKS) size *= 2
  return size
}

/** How many blocks a file of this many bytes has; none when it is empty. */
export function blockCount(fileSize: number): number {
  return Math.ceil(fileSize / blockSizeFor(fileSize))
}

/** The bytes of block `index`; the last block of a file may be shorter. */
export function blockRange(fileSize: number, index: number): ByteRange {
  const size = blockSizeFor(fileSize)
  const offset = index * size
  return { offset, length: Math.min(size, fileSize - offset) }
}

/** Neighbouring blocks, from the first to the last index, both included. */
export interface BlockRun {
  readonly first: number
  readonly last: number
}

/** The runs that ascending block indexes make, ascending. */
export function runsOf(indexes: readonly number[]): BlockRun[] {
  const runs: { readonly first: number; last: number }[] = []
  for (const index of indexes) {
    const run = runs.at(-1)
    if (run?.last === index - 1) run.last = index
    else runs.push({ first: index, last: index })
  }
  return runs
}

/** Cuts a range into consecutive ranges of nearly equal length, none longer than `longest` bytes. */
export function splitRange(range: ByteRange, longest: number): ByteRange[] {
  const count = Math.ceil(range.length / longest)
  const length = Math.ceil(range.length / count)
  return Array.from({ length: count }, (_, index) => ({
    offset: range.offset + index * length,
    length: Math.min(length, range.length - index * length)
  }))
}
