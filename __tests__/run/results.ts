import type { UploadError } from '../../src/core/errors.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { FileResult } from '../../src/core/report.js'

export function file(remote: string, size = 1000): PlannedFile {
  return { local: `/project/${remote}`, remote, size }
}

/** All of the file was sent in one second. */
export function uploaded(of: PlannedFile, reusedBytes = 0): FileResult {
  return { file: of, status: 'uploaded', sentBytes: of.size - reusedBytes, reusedBytes, elapsedMs: 1000 }
}

/** In a dry run. */
export function planned(of: PlannedFile, reusedBytes = 0): FileResult {
  return { file: of, status: 'planned', sentBytes: 0, reusedBytes, elapsedMs: 5 }
}

export function skipped(of: PlannedFile): FileResult {
  return { file: of, status: 'skipped', sentBytes: 0, reusedBytes: of.size, elapsedMs: 5 }
}

export function failed(of: PlannedFile, error: UploadError, continuesWith = 0): FileResult {
  return {
    file: of,
    status: 'failed',
    sentBytes: continuesWith,
    reusedBytes: 0,
    elapsedMs: 500,
    error,
    continuesWith
  }
}
