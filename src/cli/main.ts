import { homedir, tmpdir } from 'node:os'
import { toUploadError, type UploadError } from '../core/errors.js'
import { explain } from '../core/failure-help.js'
import { type Report, totalsOf } from '../core/report.js'
import { connect } from '../adapters/sftp/connect.js'
import { dialogues } from '../adapters/sftp/dialogue.js'
import { clock, every } from '../run/clock.js'
import { Log } from '../run/log.js'
import { readLogin, risksOf } from '../run/login.js'
import { failureOf, type OutcomeContext, outcomeOf, trafficOf } from '../run/outcome.js'
import { planFiles } from '../run/plan-files.js'
import { printableLines } from '../run/printable.js'
import type { Settings } from '../run/settings.js'
import { stopSignal } from '../run/stop-signal.js'
import { uploadFiles } from '../run/upload-files.js'
import { settingsOf } from './asked-settings.js'
import { Bar } from './bar.js'
import { type CommandLine, parseCommandLine, type Streams } from './command-line.js'
import { cacheDirectory, privateDirectory } from './directories.js'
import { exitCodeOf, exitCodeOfSignal } from './exit-code.js'
import { formatJson } from './json-report.js'
import { plainLines } from './lines.js'
import { openState } from './state.js'

interface Ended extends OutcomeContext {
  readonly report: Report
  /** Why not every file is in place: the first cause. */
  readonly error: UploadError | undefined
}

const NOTHING: Ended = { report: { results: [], elapsedMs: 0 }, error: undefined, keepsState: false }

/** The command: reads the flags, uploads, reports, and gives the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const print = takeStandardOutput()
  const { stderr } = process
  const bar = stderr.isTTY && process.env.TERM !== 'dumb' ? new Bar(stderr, () => clock.now()) : undefined
  const write = (line: string) => (bar === undefined ? stderr.write(`${line}\n`) : bar.write(line))

  const asked = parse(argv, { out: print, error: text => stderr.write(text) })
  if (typeof asked === 'number') return asked
  let stoppedWith: number | undefined
  const signal = stopSignal(name => (stoppedWith = exitCodeOfSignal(name)))
  const log = new Log({ output: plainLines(write), now: () => clock.now(), every, showProgress: bar?.show })
  const ended = await run(asked, log, signal)
  for (const line of endLines(ended)) write(line)
  const { report, error } = ended
  if (asked.json) print(`${formatJson(report, error)}\n`)
  return error === undefined ? 0 : (stoppedWith ?? exitCodeOf(error.code))
}

/** @actions/glob says what it does in workflow commands on the standard output, which no runner reads here. */
function takeStandardOutput(): (text: string) => void {
  const { stdout } = process
  const write = stdout.write.bind(stdout)
  stdout.write = () => true
  return write
}

function parse(argv: readonly string[], streams: Streams): CommandLine | number {
  try {
    return parseCommandLine(argv, streams)
  } catch (thrown) {
    const error = toUploadError(thrown, 'invalid-input', 'read the command line')
    streams.error(`${errorLine(error)}\n`)
    return exitCodeOf(error.code)
  }
}

/** The first cause, the traffic, and at the end what is in place and what the next attempt will do. */
function endLines({ report, error, ...context }: Ended): string[] {
  const { results, elapsedMs } = report
  const { sentBytes, reusedBytes } = totalsOf(results)
  return [
    ...(error === undefined ? [] : [errorLine(error)]),
    ...(results.length === 0 ? [] : [`In all ${trafficOf(sentBytes, reusedBytes, elapsedMs)}.`]),
    ...(results.length === 0 && error !== undefined ? [] : [outcomeOf(report, context)])
  ]
}

function errorLine(error: UploadError): string {
  return `error: ${printableLines(explain(error))}`
}

async function run(asked: CommandLine, log: Log, signal: AbortSignal): Promise<Ended> {
  try {
    const settings = await settingsOf(asked, log)
    return await uploadAsAsked(settings, asked, log, signal)
  } catch (error) {
    return { ...NOTHING, error: toUploadError(error, 'server-failure', 'upload') }
  } finally {
    log.close()
  }
}

async function uploadAsAsked(
  settings: Settings,
  { stateDirectory, paths }: CommandLine,
  log: Log,
  signal: AbortSignal
): Promise<Ended> {
  const tell = (text: string) => log.emit({ type: 'notice', text })
  const login = await readLogin(settings, process.env.RUNNER_DEBUG === '1' ? dialogues(tell) : undefined)
  const warn = (text: string) => log.emit({ type: 'warning', text })
  for (const text of risksOf(settings.server)) warn(text)
  const plan = await planFiles({ settings, workspace: process.cwd(), log })
  if (plan.files.length === 0) return NOTHING

  const machine = { environment: process.env, platform: process.platform, home: homedir() }
  const place = {
    cache: stateDirectory ?? cacheDirectory(machine),
    own: privateDirectory(machine),
    paths
  }
  const { state, isKept, close } = await openState(settings, login.secret, place, warn)
  try {
    const report = await uploadFiles(plan, {
      settings,
      connect: (stop, turn) => connect(login.connection, stop, turn),
      state,
      temp: tmpdir(),
      log,
      signal
    })
    return { report, error: failureOf(report), keepsState: isKept(), isDryRun: settings.isDryRun }
  } finally {
    await close()
  }
}
