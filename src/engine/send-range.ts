import { splitRange, type ByteRange } from '../core/blocks.js'
import type { Digest } from '../core/ledger.js'
import { drain } from './drain.js'
import type { Lane } from './lane.js'
import type { RemoteFile, Source } from './ports.js'
import { isTelling } from './telling-sample.js'

export interface RangeTask {
  readonly source: Source
  /** Not empty. */
  readonly range: ByteRange
  readonly lane: Lane
  /** Of the lane's session. */
  readonly handle: RemoteFile
  readonly onAcknowledged: (bytes: number) => void
  /**
   * Called when the server acknowledged the first chunk that is telling. The range begins with a short one for this,
   * which mostly is.
   */
  readonly onSample?: ((sample: ByteRange) => void) | undefined
}

/** Bytes of the first chunk: it needs no second round trip, whatever the line. */
const SAMPLE = 8 * 1024

/**
 * Hands the range over chunk by chunk, in order, as fast as the lane takes it. Resolves when the last chunk is handed
 * over, with a function that waits for all answers and gives the SHA-256 of what was sent.
 *
 * @throws UploadError when the source cannot be read; nothing of the range is in flight then.
 */
export async function sendRange(task: RangeTask): Promise<() => Promise<Digest>> {
  const { source, range, lane, handle, onAcknowledged, onSample } = task
  const stream = source.stream(range)
  const answers: Promise<void>[] = []
  let seeksSample = onSample !== undefined
  let offset = range.offset
  try {
    for await (const slice of stream.slices) {
      const isFirst = offset === range.offset && onSample !== undefined
      for (const chunk of chunksOf(slice, isFirst, lane.remote.chunkSize)) {
        const bytes = slice.subarray(chunk.offset, chunk.offset + chunk.length)
        const place = { offset: offset + chunk.offset, length: chunk.length }
        const isSample = seeksSample && isTelling(bytes)
        if (isSample) seeksSample = false
        const { acknowledged } = await lane.send(handle, bytes, place.offset)
        const answer = acknowledged.then(() => {
          onAcknowledged(place.length)
          if (isSample) onSample?.(place)
        })
        answer.catch(() => undefined)
        answers.push(answer)
      }
      offset += slice.length
    }
  } catch (error) {
    await Promise.allSettled(answers)
    throw error
  }
  return async () => {
    await drain(answers)
    return stream.digest()
  }
}

function chunksOf({ length }: Uint8Array, withSample: boolean, chunkSize: number): ByteRange[] {
  const sample = withSample ? Math.min(SAMPLE, length) : 0
  return [
    ...splitRange({ offset: 0, length: sample }, chunkSize),
    ...splitRange({ offset: sample, length: length - sample }, chunkSize)
  ]
}
