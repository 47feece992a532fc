import { type UploadRun, withRun } from '../core/upload-run.js'
import type { FileProgress } from './file-progress.js'
import type { Clock } from './ports.js'

/** The runs that an upload took so far: those that the state tells of, and this one. */
export class RunLog {
  private before: readonly UploadRun[] = []
  private current: UploadRun

  constructor(
    private readonly files: readonly Pick<FileProgress, 'sentBytes'>[],
    private readonly clock: Clock
  ) {
    const startedMs = clock.now()
    this.current = { startedMs, endedMs: startedMs, sentBytes: 0 }
  }

  /** Those before this one. */
  get earlier(): readonly UploadRun[] {
    return this.before
  }

  recall(runs: readonly UploadRun[]): void {
    this.before = runs
  }

  /** All of them; the same as the last time when nothing more was sent since. */
  soFar(): UploadRun[] {
    const sentBytes = this.files.reduce((sum, file) => sum + file.sentBytes, 0)
    if (sentBytes > this.current.sentBytes) {
      this.current = { ...this.current, endedMs: this.clock.now(), sentBytes }
    }
    return withRun(this.before, this.current)
  }
}
