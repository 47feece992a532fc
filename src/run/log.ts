import type { UploadError } from '../core/errors.js'
import { bytesOf, type PlannedFile } from '../core/plan.js'
import { formatBytes, formatCount, formatNumber } from '../core/quantities.js'
import { type FileResult, type Report, totalsOf } from '../core/report.js'
import type { UploadEvent } from '../engine/ports.js'
import {
  connectedLine,
  decisionLine,
  failureLine,
  previewLine,
  resultLine,
  retryLine
} from './event-lines.js'
import { failureOf, type OutcomeContext, outcomeOf, trafficOf } from './outcome.js'
import { printable } from './printable.js'
import { Progress } from './progress.js'
import { tellOnce } from './tell-once.js'

/** Where lines go; `@actions/core` has them all. */
export interface LogOutput {
  info(line: string): void
  warning(line: string): void
  error(line: string): void
  startGroup(name: string): void
  endGroup(): void
}

export interface LogSettings {
  readonly output: LogOutput
  /** Milliseconds. */
  readonly now: () => number
  /** Runs something every so many milliseconds until the function that it returns is called. */
  readonly every: (milliseconds: number, run: () => void) => () => void
  /** Shows the progress in its own way until the function that it returns is called; without it there are lines. */
  readonly showProgress?: ((progress: Progress) => () => void) | undefined
}

const INTERVAL_MS = 10_000
/** With more files than this, what goes as expected is not told file by file. */
const MANY_FILES = 200
const FILES_A_LINE = 1000
/** Lines of one kind when there are many files. */
const MAX_LINES = 100
/** GitHub shows ten annotations of errors of a step; the step's own is one. */
const ANNOTATIONS = 9
/** Failures that are told again at the end. */
const FAILURES_SHOWN = 20

/**
 * The lines of one step: planning and uploading in groups, then the result in the open. No line begins with text from
 * outside, so that none can be a workflow command.
 */
export class Log {
  private endGroup: (() => void) | undefined
  private progress: Progress
  private manyFiles = false
  private readonly outOfTheOrdinary: (line: string) => void
  private readonly failures: (line: string) => void
  private readonly reasonOf = tellOnce()

  constructor(private readonly settings: LogSettings) {
    const { output, now } = settings
    this.progress = new Progress([], now)
    this.outOfTheOrdinary = atMost(
      MAX_LINES,
      output,
      'Further files that are not simply sent are not listed.'
    )
    this.failures = atMost(MAX_LINES, output, 'Further files that are not in place are not listed.')
  }

  /** Opens the group of what is found. */
  planning(): void {
    this.startGroup('Planning')
  }

  /** States the plan and opens the group of the upload, with its progress: a line every 10 s unless shown otherwise. */
  uploading(files: readonly PlannedFile[]): void {
    const { output, now, showProgress = this.tellProgress } = this.settings
    this.startGroup(`Uploading ${formatCount(files.length, 'file')}, ${formatBytes(bytesOf(files))}`)
    this.manyFiles = files.length > MANY_FILES
    if (this.manyFiles) {
      output.info(
        `Of this many files only the unusual ones and every ${formatNumber(FILES_A_LINE)}th are listed.`
      )
    }
    this.progress = new Progress(files, now)
    const stop = showProgress(this.progress)
    const { endGroup } = this
    this.endGroup = () => {
      stop()
      endGroup?.()
    }
  }

  /** States the plan of a dry run and opens its group, in which every file is told. */
  previewing(files: readonly PlannedFile[]): void {
    this.startGroup(`Dry run of ${formatCount(files.length, 'file')}, ${formatBytes(bytesOf(files))}`)
  }

  /** Opens the group of what is no part of the upload. */
  deleting(): void {
    this.startGroup('Deleting what is no part of the upload')
  }

  /** Tells an event; a function of its own, so that it can be handed on as `Emit`. */
  readonly emit = (event: UploadEvent): void => {
    const { output } = this.settings
    this.progress.take(event)
    switch (event.type) {
      case 'connected':
        output.info(connectedLine(event))
        break
      case 'decided':
        this.tellDecision(event)
        break
      case 'previewed':
        output.info(previewLine(event))
        break
      case 'finished':
        this.tellResult(event.result)
        break
      case 'retrying':
        output.info(retryLine(event))
        break
      case 'notice':
        output.info(printable(event.text))
        break
      case 'warning':
        output.warning(printable(event.text))
        break
      case 'acknowledged':
    }
  }

  /** Ends the group that is open and states the result. */
  result(report: Report, context: OutcomeContext): void {
    const { output } = this.settings
    this.close()
    const failed = report.results.filter(({ status }) => status === 'failed')
    this.tellFailures(failed.slice(0, FAILURES_SHOWN), failureOf(report))
    if (failed.length > FAILURES_SHOWN)
      output.info(`and ${formatCount(failed.length - FAILURES_SHOWN, 'file')} more`)
    output.info(outcomeOf(report, context))
    const { sentBytes, reusedBytes } = totalsOf(report.results)
    if (report.results.length > 0)
      output.info(`In all ${trafficOf(sentBytes, reusedBytes, report.elapsedMs)}.`)
  }

  /** Ends the group that is open, with its lines of progress. */
  close(): void {
    this.endGroup?.()
    this.endGroup = undefined
  }

  private readonly tellProgress = (progress: Progress): (() => void) => {
    const { output, every } = this.settings
    return every(INTERVAL_MS, () => {
      const line = progress.line()
      if (line !== undefined) output.info(line)
    })
  }

  /** Each reason of its own becomes an annotation, but for the one with which the step ends, and waiting for that. */
  private tellFailures(failed: readonly FileResult[], last: UploadError | undefined): void {
    const { output } = this.settings
    const reasonOf = tellOnce()
    let annotations = 0
    for (const result of failed) {
      const reason = reasonOf(result.error)
      const line = failureLine(result, reason)
      const isTold = reason === undefined || reason === last || reason.code === 'withheld'
      if (isTold || annotations === ANNOTATIONS) {
        output.info(line)
      } else {
        output.error(line)
        annotations++
      }
    }
  }

  private startGroup(name: string): void {
    this.close()
    const { output } = this.settings
    output.startGroup(name)
    this.endGroup = () => output.endGroup()
  }

  private tellDecision(event: Extract<UploadEvent, { type: 'decided' }>): void {
    const { decision } = event
    const line = decisionLine(event)
    if (!this.manyFiles) this.settings.output.info(line)
    else if (decision.action === 'continue' || decision.action === 'confirm') this.outOfTheOrdinary(line)
    else if (decision.action === 'start' && decision.discard) this.outOfTheOrdinary(line)
  }

  private tellResult(result: FileResult): void {
    const { output } = this.settings
    if (result.status === 'failed') this.failures(failureLine(result, this.reasonOf(result.error)))
    else if (!this.manyFiles) {
      const line = resultLine(result)
      if (line !== undefined) output.info(line)
    }
    const { finishedFiles } = this.progress
    if (this.manyFiles && finishedFiles % FILES_A_LINE === 0) {
      output.info(`Finished ${formatCount(finishedFiles, 'file')}.`)
    }
  }
}

/** Lets so many lines through, then one that says that there are more. */
function atMost(count: number, output: LogOutput, more: string): (line: string) => void {
  let told = 0
  return line => {
    told += 1
    if (told <= count) output.info(line)
    else if (told === count + 1) output.info(more)
  }
}
