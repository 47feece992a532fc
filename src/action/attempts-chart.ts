import type { Attempts } from '../core/attempts.js'
import type { ErrorCode } from '../core/errors.js'
import { formatBytes, formatCount, formatDuration, timeUnit } from '../core/quantities.js'
import type { Report } from '../core/report.js'
import type { UploadRun } from '../core/upload-run.js'
import { failureOf } from '../run/outcome.js'
import { diagram } from './mermaid.js'

/** An attempt is drawn as long as one of so many parts of the run at least: it would be invisible otherwise. */
const LEAST_PART = 150

const SENT = '#2da44e'
const FAILED = '#cf222e'
const EARLIER = '#6e7781'

const SETTINGS = {
  gantt: {
    barHeight: 22,
    barGap: 5,
    fontSize: 12,
    sectionFontSize: 12,
    leftPadding: 80,
    rightPadding: 24,
    topPadding: 46
  },
  // Legible on a light and on a dark page; the other colours are those of GitHub's theme.
  themeVariables: {
    taskBkgColor: SENT,
    taskBorderColor: SENT,
    critBkgColor: FAILED,
    critBorderColor: FAILED,
    doneTaskBkgColor: EARLIER,
    doneTaskBorderColor: EARLIER,
    taskTextColor: '#ffffff',
    taskTextLightColor: '#ffffff',
    taskTextDarkColor: '#ffffff',
    sectionBkgColor: 'transparent',
    sectionBkgColor2: 'transparent',
    altSectionBkgColor: 'transparent'
  },
  themeCSS: '.grid .tick line { stroke: #8c959f; opacity: 0.4 }'
}

const ENDED: Partial<Readonly<Record<ErrorCode, string>>> = {
  'connection-lost': 'connection lost',
  stalled: 'server fell silent',
  unreachable: 'server not reached',
  'unknown-host': 'server not found',
  login: 'login refused',
  'host-key': 'host key refused',
  'no-space': 'disk full',
  cancelled: 'told to stop'
}

/**
 * The attempts of a run, one after the other, after the runs of the same upload before it, as a Mermaid diagram; nothing
 * where there was only one.
 */
export function attemptsChart(report: Report): string[] {
  const { history, earlier = [] } = report
  if (history === undefined || earlier.length + history.attempts.length < 2) return []
  const runs = inARow(earlier)
  const beforeMs = runs.at(-1)?.endMs ?? 0
  const totalMs = beforeMs + history.elapsedMs
  const unit = timeUnit(totalMs)
  // In a format of milliseconds, of which the axis shows the seconds: a number, in any unit and in any time zone.
  const at = (milliseconds: number) => Math.round((milliseconds / unit.size) * 1000)
  const least = Math.ceil(at(totalMs) / LEAST_PART)
  const task = ({ label, tag, startMs, endMs }: Task) =>
    `  ${label} :${tag}${at(startMs)}, ${Math.max(at(endMs), at(startMs) + least)}`

  const failure = failureOf(report)?.code
  const last = history.attempts.at(-1)
  const attempts = history.attempts.map(attempt => {
    const why = attempt.failure ?? (attempt === last ? failure : undefined)
    const { startMs, endMs } = attempt
    const tag = why === undefined ? '' : 'crit, '
    return { label: attemptLabel(attempt, why), tag, startMs: beforeMs + startMs, endMs: beforeMs + endMs }
  })
  return diagram(SETTINGS, [
    'gantt',
    `  title Attempts${runs.length > 0 ? ', without the time between the runs' : ''}`,
    '  dateFormat x',
    `  axisFormat %s ${unit.symbol}`,
    '  todayMarker off',
    ...runs.flatMap((run, index) => [
      `  section Run ${index + 1}`,
      task({ ...run, tag: 'done, ', label: runLabel(run, history.startedAt) })
    ]),
    '  section This run',
    ...attempts.map(task)
  ])
}

interface Task {
  readonly label: string
  readonly tag: string
  readonly startMs: number
  readonly endMs: number
}

interface PastRun extends UploadRun {
  readonly startMs: number
  readonly endMs: number
}

/** Each beginning where the one before ended. */
function inARow(runs: readonly UploadRun[]): PastRun[] {
  let endMs = 0
  return runs.map(run => {
    const startMs = endMs
    endMs += Math.max(0, run.endedMs - run.startedMs)
    return { ...run, startMs, endMs }
  })
}

/** The clocks of two machines may differ. */
function runLabel({ sentBytes, endedMs }: UploadRun, nowMs: number): string {
  const ago = nowMs > endedMs ? `, ${formatDuration(nowMs - endedMs)} before this run` : ''
  return `sent ${formatBytes(sentBytes)}${ago}`
}

function attemptLabel({ count, sentBytes }: Attempts, why: ErrorCode | undefined): string {
  return [
    ...(count > 1 ? [formatCount(count, 'attempt')] : []),
    sentBytes > 0 ? `sent ${formatBytes(sentBytes)}` : 'sent nothing',
    ...(why === undefined ? [] : [ENDED[why] ?? 'not everything is in place'])
  ].join(', ')
}
