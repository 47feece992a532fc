/** The spans that are held; a run of any length has no more. */
const MAX_SPANS = 512
const FIRST_SPAN_MS = 50

/** Bytes by equal spans of time since a start. When the last span is full, two become one, and there is room again. */
export class Throughput {
  private readonly spans = new Float64Array(MAX_SPANS)
  private spanMs = FIRST_SPAN_MS
  private count = 0

  /** How often bytes were added: few additions make no curve. */
  get additions(): number {
    return this.count
  }

  /** Bytes that came at a time since the start, in milliseconds; a clock that was set back counts as the start. */
  add(atMs: number, bytes: number): void {
    const at = Math.max(0, atMs)
    while (at >= this.spanMs * MAX_SPANS) this.halve()
    const index = Math.floor(at / this.spanMs)
    this.spans[index] = this.bytesIn(index) + bytes
    this.count += 1
  }

  /**
   * Bytes a second in each of so many equal parts of the time from the start to `elapsedMs`, which is more than 0 and
   * not before the last bytes.
   */
  rates(parts: number, elapsedMs: number): number[] {
    const partMs = elapsedMs / parts
    let before = 0
    return Array.from({ length: parts }, (_, part) => {
      const until = part === parts - 1 ? this.bytesBefore(MAX_SPANS) : this.bytesUntil((part + 1) * partMs)
      const rate = ((until - before) / partMs) * 1000
      before = until
      return rate
    })
  }

  private halve(): void {
    for (let index = 0; index < MAX_SPANS; index++) {
      this.spans[index] = this.bytesIn(2 * index) + this.bytesIn(2 * index + 1)
    }
    this.spanMs *= 2
  }

  /** Within a span the bytes came evenly, as far as is known. */
  private bytesUntil(atMs: number): number {
    const last = Math.floor(atMs / this.spanMs)
    return this.bytesBefore(last) + this.bytesIn(last) * (atMs / this.spanMs - last)
  }

  private bytesBefore(index: number): number {
    return this.spans.subarray(0, index).reduce((sum, bytes) => sum + bytes, 0)
  }

  private bytesIn(index: number): number {
    return this.spans[index] ?? 0
  }
}
