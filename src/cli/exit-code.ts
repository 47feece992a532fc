import { constants } from 'node:os'
import type { ErrorCode } from '../core/errors.js'

/** What the shell gets when not every file is in place, by the first cause. The help shows them, too. */
export function exitCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'no-files':
    case 'not-found':
    case 'permission':
    case 'wrong-type':
    case 'no-space':
    case 'unsupported':
    case 'server-failure':
    case 'source-changed':
    case 'source-unreadable':
    case 'not-verified':
    case 'withheld':
      return 1
    case 'invalid-input':
    case 'private-key':
      return 2
    case 'unknown-host':
    case 'unreachable':
    case 'connection-lost':
    case 'stalled':
    case 'protocol':
      return 3
    case 'host-key':
    case 'login':
      return 4
    case 'cancelled':
      return exitCodeOfSignal('SIGINT')
  }
}

/** As a shell tells of a program that a signal has ended: 130 for SIGINT, 143 for SIGTERM. */
export function exitCodeOfSignal(signal: 'SIGINT' | 'SIGTERM' | 'SIGBREAK'): number {
  return 128 + (signal === 'SIGBREAK' ? constants.signals.SIGINT : constants.signals[signal])
}
