import { statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { toUploadError, UploadError } from '../core/errors.js'
import { explain } from '../core/failure-help.js'
import { type Report, totalsOf } from '../core/report.js'
import { connect } from '../adapters/sftp/connect.js'
import { clock, every } from '../run/clock.js'
import { readSettings } from '../run/inputs.js'
import { Log } from '../run/log.js'
import { readLogin, risksOf } from '../run/login.js'
import { failureOf, type OutcomeContext, outcomeOf, trafficOf } from '../run/outcome.js'
import { planFiles } from '../run/plan-files.js'
import { printableLines } from '../run/printable.js'
import type { Settings } from '../run/settings.js'
import { stopSignal } from '../run/stop-signal.js'
import { uploadFiles } from '../run/upload-files.js'
import { askOn } from './ask.js'
import { Bar } from './bar.js'
import { type CommandLine, parseCommandLine, type Streams } from './command-line.js'
import { readCredentials } from './credentials.js'
import { cacheDirectory, privateDirectory } from './directories.js'
import { exitCodeOf, exitCodeOfSignal } from './exit-code.js'
import { formatJson } from './json-report.js'
import { readKnownHosts } from './known-hosts-file.js'
import { plainLines } from './lines.js'
import { selectionOf } from './local-paths.js'
import { openState } from './state.js'
import { evidenceOf } from './verify-flag.js'

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

/** Turns what was asked for into the inputs of the action, and reads those. */
async function settingsOf(asked: CommandLine, log: Log): Promise<Settings> {
  const tell = (text: string) => log.emit({ type: 'notice', text })
  const warn = (text: string) => log.emit({ type: 'warning', text })
  if (asked.isPasswordVisible) {
    warn('--password is seen by every user of this machine; set the variable SFTP_PASSWORD instead.')
  }
  const disk = { workingDirectory: process.cwd(), look }
  const { lines, remotePath, namesOneFile } = selectionOf(asked.paths, disk)
  if (namesOneFile && asked.inputs.get('delete') === 'true') {
    throw new UploadError(
      'invalid-input',
      `--delete: must go with a REMOTE that is a directory, with / at the end for one file; found ${JSON.stringify(asked.paths.at(-1))}`
    )
  }
  const { verify, notice } = evidenceOf(asked.inputs.get('verify') ?? '', asked.tailSize)
  if (notice !== undefined) warn(notice)
  const knownHosts = await readKnownHosts(asked.knownHostsFile, homedir())
  for (const text of knownHosts.notices) tell(text)
  const inputs = new Map([
    ...asked.inputs,
    ['verify', verify],
    ['paths', lines.join('\n')],
    ['remote-path', remotePath],
    ['known-hosts', knownHosts.text],
    ['state', asked.state],
    ['ssh-agent', 'off']
  ])
  const settings = readSettings(name => inputs.get(name) ?? '', {
    stores: ['file', 'none'],
    givesLogin: false,
    environment: {}
  })
  const credentials = await readCredentials(asked, process.env, askOn(process.stdin, process.stderr))
  const { server } = settings
  // The same login at both: the command line has no other one for the jump host.
  const jump = server.jump === undefined ? undefined : { ...server.jump, ...credentials }
  return { ...settings, server: { ...server, ...credentials, jump } }
}

async function uploadAsAsked(
  settings: Settings,
  { stateDirectory, paths }: CommandLine,
  log: Log,
  signal: AbortSignal
): Promise<Ended> {
  const login = await readLogin(settings)
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

function look(path: string): 'file' | 'other' | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? undefined : found.isFile() ? 'file' : 'other'
}
