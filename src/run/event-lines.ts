import { firstLine, type UploadError } from '../core/errors.js'
import { formatBytes, formatDuration } from '../core/quantities.js'
import type { FileResult } from '../core/report.js'
import type { UploadEvent } from '../engine/ports.js'
import { trafficOf } from './outcome.js'
import { printable } from './printable.js'

type EventOf<T extends UploadEvent['type']> = Extract<UploadEvent, { type: T }>

/** `Starting build.zip from 0: no earlier upload is known`. */
export function decisionLine({ file, decision }: EventOf<'decided'>): string {
  const name = printable(file.remote)
  const why = printable(decision.why)
  switch (decision.action) {
    case 'start':
      return `Starting ${name} from 0: ${why}`
    case 'continue':
      return `Continuing ${name}: ${why}`
    case 'keep':
      return `Keeping ${name}: ${why}`
    case 'confirm':
      return `Checking ${name}: ${why}`
    case 'skip':
      return `Skipping ${name}: ${why}`
  }
}

/** `Would continue build.zip from dist/build.zip (sends 1.2 GiB of 3.0 GiB): …` */
export function previewLine({ file, decision, keptBytes }: EventOf<'previewed'>): string {
  const name = `${printable(file.remote)} from ${printable(file.local)}`
  const size = formatBytes(file.size)
  const why = printable(decision.why)
  switch (decision.action) {
    case 'start':
      return `Would start ${name} (sends ${size}): ${why}`
    case 'continue':
      return `Would continue ${name} (sends ${formatBytes(file.size - keptBytes)} of ${size}): ${why}`
    case 'keep':
      return `Would keep ${name} (${size}): ${why}`
    case 'confirm':
      return `Would check ${name} (${size}): ${why}`
    case 'skip':
      return `Would skip ${name} (${size}): ${why}`
  }
}

/** What became of a file in place; `undefined` for a skipped one, of which the decision has told all. */
export function resultLine({
  file,
  status,
  sentBytes,
  reusedBytes,
  elapsedMs
}: FileResult): string | undefined {
  if (status !== 'uploaded') return undefined
  const traffic = trafficOf(sentBytes, reusedBytes, elapsedMs)
  return `Uploaded ${printable(file.remote)}: ${formatBytes(file.size)}, ${traffic}`
}

/**
 * `Not in place: build.zip (write at 1048576: No space left on device)`; without the reason where it was told before.
 * What more there is to say stands in the annotation of the step.
 */
export function failureLine({ file }: FileResult, error: UploadError | undefined): string {
  const why = error === undefined ? '' : ` (${printable(firstLine(error))})`
  return `Not in place: ${printable(file.remote)}${why}`
}

/** `The connection was lost (read ECONNRESET). Retry 2 of 5 in 2.0 s.` */
export function retryLine({ error, attempt, attempts, delayMs }: EventOf<'retrying'>): string {
  const retry = `Retry ${attempt} of ${attempts} in ${formatDuration(delayMs)}.`
  return `${whatEnded(error)} (${printable(firstLine(error))}). ${retry}`
}

/** `4 connections are open.` */
export function connectedLine({ lanes }: EventOf<'connected'>): string {
  return lanes === 1 ? 'Connected to the server.' : `${lanes} connections are open.`
}

function whatEnded({ code }: UploadError): string {
  switch (code) {
    case 'connection-lost':
      return 'The connection was lost'
    case 'stalled':
      return 'The server fell silent'
    case 'unreachable':
    case 'unknown-host':
      return 'The server could not be reached'
    default:
      return 'The attempt ended'
  }
}
