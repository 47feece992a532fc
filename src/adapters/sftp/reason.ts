import { UploadError, type ErrorCode } from '../../core/errors.js'
import type { Place } from './hop.js'

/** What ssh2 reports: `level` is the layer, `code` the system's name or the number of a DISCONNECT. */
export type SshError = Error & { level?: string; code?: unknown; reason?: unknown }

/** Why something came to nothing: what was seen, then what it means and what to do, a line each; five at most. */
export type Reason = readonly [code: ErrorCode, seen: string, ...help: string[]]

/** The error for a reason, which begins with what was being done at that place. */
export function errorAt({ doing }: Place, [code, seen, ...help]: Reason, cause?: Error): UploadError {
  const text = [`${doing}: ${seen}`, ...help].join('\n')
  return new UploadError(code, text, cause === undefined ? undefined : { cause })
}

/** What ssh2 stumbles over while it reads: such an error has no `level`. */
export function isStumble(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError
}
