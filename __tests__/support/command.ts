import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

export interface CommandResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Command {
  readonly done: Promise<CommandResult>
  /** What it wrote so far. */
  readonly written: () => string
  type(text: string): void
  kill(signal: NodeJS.Signals): void
}

export interface CommandOptions {
  readonly directory: string
  /** Nothing else is set but PATH. */
  readonly environment?: NodeJS.ProcessEnv
  /** On a terminal of its own, by script(1); then all that it writes is `stdout`. */
  readonly onTerminal?: boolean
}

/** Starts the command line of a built `dist/`, in a directory with an environment of its own. */
export function startCommand(dist: string, argv: readonly string[], options: CommandOptions): Command {
  const { directory, environment = {}, onTerminal = false } = options
  const program = [process.execPath, join(dist, 'cli', 'index.js'), ...argv]
  const [file = '', ...parameters] = onTerminal
    ? ['script', '-qefc', program.map(quote).join(' '), '/dev/null']
    : program
  const child = spawn(file, parameters, {
    cwd: directory,
    env: { PATH: process.env.PATH, TERM: 'xterm', ...environment },
    stdio: 'pipe'
  })
  if (!onTerminal) child.stdin.end()
  let written = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => (written += bytes.toString()))
  }
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const done = Promise.all([exited, text(child.stdout), text(child.stderr)]).then(
    ([exitCode, stdout, stderr]) => ({ exitCode, stdout, stderr })
  )
  return {
    done,
    written: () => written,
    type: keys => child.stdin.write(keys),
    kill: signal => child.kill(signal)
  }
}

/** For sh(1). */
function quote(argument: string): string {
  return `'${argument.replaceAll("'", `'\\''`)}'`
}
