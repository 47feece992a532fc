import { type ByteRange, splitRange } from '../../core/blocks.js'
import { forEach } from '../../engine/for-each.js'
import type { SftpFile } from './remote-file.js'

/** Bytes that one request has the server copy: each answer is a sign of life. */
const COPIED_AT_ONCE = 64 * 1024 * 1024
const COPIES_IN_FLIGHT = 16

/**
 * Has the server copy ranges of an open file to the same offsets of another one of the same session.
 *
 * @throws UploadError what the server says of the first that fails.
 */
export function copyRanges(source: SftpFile, target: SftpFile, ranges: readonly ByteRange[]): Promise<void> {
  const pieces = ranges.flatMap(range => splitRange(range, COPIED_AT_ONCE))
  return forEach(pieces, COPIES_IN_FLIGHT, piece => source.copyTo(target, piece))
}
