import { setMaxListeners } from 'node:events'
import { UploadError } from '../core/errors.js'

/** The runner sends SIGINT (on Windows CTRL_BREAK follows), 7.5 s later SIGTERM, 2.5 s later it kills. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGBREAK'] as const

export type StopSignal = (typeof SIGNALS)[number]

/** When something still hangs then, the checkpoints that were saved have to do. */
const LATEST_END_MS = 4_500

/**
 * Aborted by the first signal that tells the process to stop. Further ones change nothing: the end is near, and comes
 * with the exit code of the first where something hangs.
 */
export function stopSignal(exitCodeOf: (signal: StopSignal) => number = () => 1): AbortSignal {
  const controller = new AbortController()
  // Each of many files may wait for it.
  setMaxListeners(0, controller.signal)
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (controller.signal.aborted) return
      controller.abort(toldToStop(signal))
      const exitCode = exitCodeOf(signal)
      setTimeout(() => process.exit(exitCode), LATEST_END_MS).unref()
    })
  }
  return controller.signal
}

function toldToStop(signal: StopSignal): UploadError {
  const why =
    'Somebody or another run cancelled it, its time was over (timeout-minutes), or the machine was shut down.'
  const next = 'Run it again: it goes on from what was saved.'
  return new UploadError('cancelled', `the run was told to stop (${signal})\n${why}\n${next}`)
}
