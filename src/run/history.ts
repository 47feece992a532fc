import { AttemptLog } from '../core/attempts.js'
import type { History } from '../core/report.js'
import { Throughput } from '../core/throughput.js'
import type { UploadEvent } from '../engine/ports.js'

/** Follows a run from when it is made to its last event, in little memory, whatever its length. */
export class Historian {
  private readonly throughput = new Throughput()
  private readonly attempts = new AttemptLog()
  private readonly startedAt: number
  private elapsedMs = 0

  constructor(private readonly now: () => number) {
    this.startedAt = now()
  }

  take(event: UploadEvent): void {
    this.elapsedMs = Math.max(this.elapsedMs, this.now() - this.startedAt)
    if (event.type === 'acknowledged') {
      this.throughput.add(this.elapsedMs, event.bytes)
      this.attempts.add(event.bytes)
    } else if (event.type === 'retrying') {
      this.attempts.fail(this.elapsedMs, event.error.code, event.delayMs)
    }
  }

  tell(): History {
    const { startedAt, elapsedMs, throughput } = this
    return { startedAt, elapsedMs, throughput, attempts: this.attempts.until(elapsedMs) }
  }
}
