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

/** Cuts a range into consecutive ranges of nearly equal length, none longer than `longest` bytes. */
export function splitRange(range: ByteRange, longest: number): ByteRange[] {
  const count = Math.ceil(range.length / longest)
  const length = Math.ceil(range.length / count)
  return Array.from({ length: count }, (_, index) => ({
    offset: range.offset + index * length,
    length: Math.min(length, range.length - index * length)
  }))
}
