import cliProgress from 'cli-progress'
import { formatDuration, formatSpeed } from '../core/quantities.js'
import type { Progress } from '../run/progress.js'

interface Payload {
  readonly text: string
}

interface Sample {
  readonly at: number
  readonly sentBytes: number
}

/** Characters. */
const WIDTH = 24
const UPDATE_MS = 200
/** The speed shown is that of the last so many samples. */
const SAMPLES = 15

/** A bar in the last line of a terminal; lines that are written meanwhile go above it. */
export class Bar {
  private bars: cliProgress.MultiBar | undefined

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly now: () => number
  ) {}

  write(line: string): void {
    if (this.bars === undefined) this.stream.write(`${line}\n`)
    else this.bars.log(`${line}\n`)
  }

  /** Follows the progress until the function that it returns is called. */
  readonly show = (progress: Progress): (() => void) => {
    const bars = new cliProgress.MultiBar({
      stream: this.stream,
      format: (options, params, payload: Payload) => this.format(options, params, payload),
      barsize: WIDTH,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      fps: 1000 / UPDATE_MS,
      hideCursor: true,
      clearOnComplete: true,
      // What is written above the bar may be longer than a line.
      linewrap: true,
      forceRedraw: true
    })
    this.bars = bars
    const pace = new Pace(progress, this.now)
    const bar = bars.create(progress.totalBytes, progress.doneBytes, { text: pace.text() } satisfies Payload)
    const timer = setInterval(
      () => bar.update(progress.doneBytes, { text: pace.text() } satisfies Payload),
      UPDATE_MS
    )
    const stop = () => {
      clearInterval(timer)
      process.off('exit', stop)
      if (this.bars === undefined) return
      this.bars = undefined
      bars.update() // writes the lines that wait for the next redraw
      bars.stop()
    }
    // It has hidden the cursor.
    process.on('exit', stop)
    return stop
  }

  /** The text has precedence where both are longer than the line. */
  private format(options: cliProgress.Options, { progress }: cliProgress.Params, { text }: Payload): string {
    const room = (this.stream.columns || 80) - text.length - 2
    const barsize = Math.max(0, Math.min(WIDTH, room))
    return `${cliProgress.Format.BarFormat(progress, { ...options, barsize })} ${text}`
  }
}

/** `42%, 110 MiB of 256 MiB, 12 MiB/s, 12 s left`, from one call to the next. */
export class Pace {
  private readonly samples: Sample[] = []

  constructor(
    private readonly progress: Progress,
    private readonly now: () => number
  ) {}

  text(): string {
    const { progress, samples } = this
    const last = { at: this.now(), sentBytes: progress.sentBytes }
    samples.push(last)
    if (samples.length > SAMPLES) samples.shift()
    const { at, sentBytes } = samples[0] ?? last
    const bytes = last.sentBytes - sentBytes
    const elapsed = last.at - at
    const left = progress.totalBytes - progress.doneBytes
    const time = bytes > 0 && left > 0 ? `${formatDuration((left * elapsed) / bytes)} left` : ''
    return [progress.standing(), formatSpeed(bytes, elapsed), time].filter(Boolean).join(', ')
  }
}
