import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { OPERATION_VARIABLE, type CacheAnswer, type CacheOperation } from './cache-task.js'

export interface CacheProcessOptions {
  /** The program that runs `serveCacheOperation`. */
  readonly program: string
  /** Where `.upload.meta` is, or goes to. */
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
  readonly limitMs: number
  readonly signal: AbortSignal | undefined
  /** What the client prints, line by line, without the marks of debug lines. */
  readonly onLine: (line: string) => void
}

/** The client's own warnings, as workflow commands. */
const WARNING = /^::warning(?: [^:]*)?::(.*)$/

/**
 * Runs one cache operation in a process of its own, with a time limit: the client can hang for 15 minutes, prints
 * misleading lines, and needs a working directory for itself.
 *
 * @throws Error that says in a few words why it did not work.
 */
export function runInProcess(task: CacheOperation, options: CacheProcessOptions): Promise<CacheAnswer> {
  const { program, directory, environment, limitMs, signal, onLine } = options
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program], {
      cwd: directory,
      env: {
        ...withoutInputs(environment),
        [OPERATION_VARIABLE]: JSON.stringify({ ...task, limitMs })
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    let answer: CacheAnswer | undefined
    let reason: string | undefined
    const readLine = (line: string) => {
      reason ??= WARNING.exec(line)?.[1]
      onLine(line.replace(/^::debug::/, ''))
    }
    const stop = (why: string) => {
      reason = why
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => stop(`no answer within ${limitMs / 1000} s`), limitMs)
    const onAbort = () => stop('it was given up')
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener('abort', onAbort)
    // A process that is told to end leaves none behind.
    const onExit = () => child.kill('SIGKILL')
    process.on('exit', onExit)

    for (const input of [child.stdout, child.stderr]) {
      if (input !== null) createInterface({ input }).on('line', readLine)
    }
    child.on('message', (message: { answer?: CacheAnswer; reason?: string }) => {
      answer = message.answer
      reason ??= message.reason
    })
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      process.off('exit', onExit)
      if (answer === 'nothing' && reason !== undefined) reject(new Error(reason))
      else if (answer === undefined) reject(new Error(reason ?? 'the cache client ended without a word'))
      else resolve(answer)
    })
  })
}

function withoutInputs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('INPUT_')))
}
