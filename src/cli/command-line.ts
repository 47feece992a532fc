import { Command, CommanderError, Option } from 'commander'
import { UploadError } from '../core/errors.js'
import { inputFlags } from './flags.js'
import { VERSION } from './version.js'

/** What was asked for, as text: nothing is checked yet but that all flags are known. */
export interface CommandLine {
  /** What to upload, then where to. */
  readonly paths: readonly string[]
  /** Inputs of the action, by their names. */
  readonly inputs: ReadonlyMap<string, string>
  readonly keyFile: string | undefined
  readonly password: string | undefined
  /** The password stands in the list of processes. */
  readonly isPasswordVisible: boolean
  readonly knownHostsFile: string | undefined
  /** An ssh agent may be asked. */
  readonly useAgent: boolean
  readonly tailSize: string | undefined
  readonly state: string
  readonly stateDirectory: string | undefined
  readonly json: boolean
}

/** Where help and version, and complaints about flags, are written to. */
export interface Streams {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
}

interface OwnFlags {
  readonly key?: string
  readonly password?: string
  readonly knownHosts?: string
  readonly agent: boolean
  readonly tailSize?: string
  readonly state: string
  readonly stateDir?: string
  readonly json?: boolean
}

const EXIT_CODES = `
Exit codes:
  0    every file is in place
  1    a file is not in place
  2    a flag, the private key or a file's name is wrong
  3    the server cannot be reached or speaks no SFTP, or the connection was lost for good
  4    the host key or the login was refused
  130  interrupted by Ctrl-C (SIGINT); 143 by SIGTERM

The next attempt continues where the upload stopped.`

/**
 * Reads flags and environment variables; help and version are written at once.
 *
 * @returns the exit code where there is nothing more to do.
 * @throws UploadError `invalid-input`.
 */
export function parseCommandLine(argv: readonly string[], { out, error }: Streams): CommandLine | number {
  const flags = inputFlags()
  const command = buildCommand(Object.values(flags))
  command.exitOverride().configureOutput({ writeOut: out, writeErr: error })
  try {
    command.parse(argv, { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    return thrown.exitCode === 0 ? 0 : 2
  }
  const textOf = (option: Option) => {
    const name = option.attributeName()
    const value: unknown = command.getOptionValue(name)
    if (option.isBoolean()) return String(value === true)
    const isEmpty = value === '' && command.getOptionValueSource(name) === 'env'
    // A variable that is set to nothing, as CI systems do, is none.
    return String((isEmpty ? option.defaultValue : value) ?? '')
  }
  const own = command.opts<OwnFlags>()
  if (command.args.length < 2) {
    throw new UploadError(
      'invalid-input',
      `LOCAL and REMOTE must both be given; found ${command.args.length === 0 ? 'nothing' : JSON.stringify(command.args[0])}`
    )
  }
  return {
    paths: command.args,
    inputs: new Map(Object.entries(flags).map(([input, option]) => [input, textOf(option)])),
    keyFile: textOrNone(own.key),
    password: textOrNone(own.password),
    isPasswordVisible: command.getOptionValueSource('password') === 'cli',
    knownHostsFile: own.knownHosts,
    useAgent: own.agent,
    tailSize: own.tailSize,
    state: own.state,
    stateDirectory: own.stateDir,
    json: own.json === true
  }
}

function buildCommand(inputOptions: readonly Option[]): Command {
  const command = new Command('resumable-sftp-upload')
    .description(
      'Uploads files over SFTP and continues where an earlier attempt stopped. A file gets its name when it is whole.\n\n' +
        'LOCAL   file, directory or quoted glob; with a ! before it, what is left out\n' +
        'REMOTE  the name of one file, or the directory that several go to; ends in / when one file goes into a directory'
    )
    .usage('[options] LOCAL... REMOTE')
    .argument('[paths...]')
    .configureHelp({ visibleArguments: () => [] })
    .version(VERSION)
  for (const option of [...inputOptions, ...ownOptions()]) command.addOption(option)
  return command.addHelpText('after', EXIT_CODES)
}

function ownOptions(): Option[] {
  return [
    new Option('--key <file>', 'private key; its passphrase comes from SFTP_PASSPHRASE or is asked for').env(
      'SFTP_KEY'
    ),
    new Option('--password <text>', 'seen by every user of this machine: better set SFTP_PASSWORD').env(
      'SFTP_PASSWORD'
    ),
    new Option('--known-hosts <file>', 'host keys (default: ~/.ssh/known_hosts)'),
    new Option('--no-agent', 'do not ask the ssh agent (SSH_AUTH_SOCK), as is done without key and password'),
    new Option(
      '--tail-size <bytes>',
      'tail that --verify tail compares; it is 1 MiB, and all for more than that'
    ),
    new Option('--state <where>', 'where the state for the next attempt is kept: file or none').default(
      'file'
    ),
    new Option(
      '--state-dir <directory>',
      'for the state (default: resumable-sftp-upload in the cache directory)'
    ),
    new Option('--json', 'one JSON report on the standard output')
  ]
}

function textOrNone(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
