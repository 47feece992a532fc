import { UploadError } from '../core/errors.js'
import { TAIL_LENGTH } from '../core/identity.js'

export interface Evidence {
  readonly verify: string
  /** What became of a `--tail-size`, where it is not what it says. */
  readonly notice: string | undefined
}

/**
 * What `--verify` and `--tail-size` ask for together. The tail that is compared has one length: it covers a shorter one,
 * and for a longer one the whole file is verified.
 *
 * @throws UploadError `invalid-input` when the size is none.
 */
export function evidenceOf(verify: string, tailSize: string | undefined): Evidence {
  if (tailSize === undefined) return { verify, notice: undefined }
  if (!/^\d{1,15}$/.test(tailSize)) {
    throw new UploadError(
      'invalid-input',
      `tail-size: must be a whole number of bytes; found ${JSON.stringify(tailSize)}`
    )
  }
  if (verify !== 'tail') {
    return { verify, notice: `--tail-size says something about --verify tail only, and this is ${verify}.` }
  }
  if (Number(tailSize) <= TAIL_LENGTH) return { verify, notice: undefined }
  return {
    verify: 'full',
    notice: `--tail-size ${tailSize}: a tail is at most 1 MiB; the whole file is verified instead (--verify full).`
  }
}
