import { bytesOf, type PlannedFile } from '../core/plan.js'
import { formatBytes, formatCount, formatDuration, formatNumber, formatSpeed } from '../core/quantities.js'
import type { FileResult } from '../core/report.js'
import type { UploadEvent } from '../engine/ports.js'

/** Silence is worth a line when it has lasted this long, and each time it has doubled since. */
const SILENCE_MS = 20_000

/** Counts what is on the server while it changes, for a line now and then. */
export class Progress {
  readonly totalBytes: number
  /** Bytes on the server of files that are neither in place nor given up. */
  private readonly begun = new Map<PlannedFile, number>()
  private begunBytes = 0
  private settledBytes = 0
  private settledFiles = 0
  private acknowledgedBytes = 0
  private reported: { readonly bytes: number; readonly at: number }
  private movedAt: number
  private silence = SILENCE_MS

  constructor(
    private readonly files: readonly PlannedFile[],
    private readonly now: () => number
  ) {
    this.totalBytes = bytesOf(files)
    this.movedAt = now()
    this.reported = { bytes: 0, at: now() }
  }

  /** Files that have a result. */
  get finishedFiles(): number {
    return this.settledFiles
  }

  /** Bytes that this attempt sent and the server acknowledged. */
  get sentBytes(): number {
    return this.acknowledgedBytes
  }

  /** Bytes of the files that are on the server, those of earlier attempts included. */
  get doneBytes(): number {
    return Math.min(this.begunBytes + this.settledBytes, this.totalBytes)
  }

  take(event: UploadEvent): void {
    switch (event.type) {
      case 'decided':
        this.setBegun(event.file, event.keptBytes)
        break
      case 'acknowledged':
        this.acknowledgedBytes += event.bytes
        this.setBegun(event.file, (this.begun.get(event.file) ?? 0) + event.bytes)
        break
      case 'finished':
        this.settle(event.result)
        break
      case 'connected':
      case 'previewed':
      case 'retrying':
      case 'notice':
      case 'warning':
    }
  }

  /** The line since the last one; `undefined` when there is nothing to say. */
  line(): string | undefined {
    const at = this.now()
    const bytes = this.acknowledgedBytes - this.reported.bytes
    const elapsed = at - this.reported.at
    this.reported = { bytes: this.acknowledgedBytes, at }
    if (bytes > 0) {
      this.movedAt = at
      this.silence = SILENCE_MS
      const left = this.totalBytes - this.doneBytes
      const speed = formatSpeed(bytes, elapsed)
      return [this.standing(), speed, `${formatDuration((left * elapsed) / bytes)} left`]
        .filter(Boolean)
        .join(', ')
    }
    if (at - this.movedAt < this.silence || this.begun.size === 0) return undefined
    this.silence *= 2
    return `${this.standing()}, nothing more acknowledged for ${formatDuration(at - this.movedAt)}`
  }

  /** `42%, 110 MiB of 256 MiB, 3 of 10 files`. */
  standing(): string {
    const done = this.doneBytes
    const percent = this.totalBytes === 0 ? 100 : Math.floor((done / this.totalBytes) * 100)
    const files =
      this.files.length > 1
        ? [`${formatNumber(this.settledFiles)} of ${formatCount(this.files.length, 'file')}`]
        : []
    return [`${percent}%`, `${formatBytes(done)} of ${formatBytes(this.totalBytes)}`, ...files].join(', ')
  }

  private setBegun(file: PlannedFile, bytes: number): void {
    const capped = Math.min(bytes, file.size) // a byte sent twice counts twice
    this.begunBytes += capped - (this.begun.get(file) ?? 0)
    this.begun.set(file, capped)
  }

  private settle({ file, status, continuesWith = 0 }: FileResult): void {
    this.setBegun(file, 0)
    this.begun.delete(file)
    this.settledBytes += status === 'failed' ? continuesWith : file.size
    this.settledFiles += 1
  }
}
