import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describeWithProgram } from './describe-with-program.js'

const run = promisify(execFile)

export interface AgentKey {
  /** In OpenSSH form. */
  readonly privateKey: string
  /** A line as in authorized_keys. */
  readonly publicKey: string
  readonly publicFile: string
  readonly fingerprint: string
}

export interface TestAgent {
  readonly socket: string
  /** Takes the keys in these files, besides those that it has. */
  add(...files: readonly string[]): Promise<void>
  /** Forgets all keys and takes a new one of this type. */
  holdOnly(type: string): Promise<AgentKey>
  holdNone(): Promise<void>
  close(): Promise<void>
}

/** A describe that needs OpenSSH's ssh-agent: without it, skipped with one line, or failed where CI is set. */
export function describeWithAgent(name: string, define: () => void): void {
  const isThere = (process.env.PATH ?? '').split(delimiter).some(path => existsSync(join(path, 'ssh-agent')))
  describeWithProgram({ name: 'ssh-agent', isThere }, name, define)
}

/** Starts OpenSSH's ssh-agent with a socket of its own. */
export async function startAgent(): Promise<TestAgent> {
  const directory = await mkdtemp(join(tmpdir(), 'ssh-agent-'))
  const socket = join(directory, 'socket')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  // It names its socket when it listens.
  await once(agent.stdout, 'data')
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  let keys = 0
  const holdNone = async () => {
    await run('ssh-add', ['-q', '-D'], { env })
  }
  const add = async (...files: readonly string[]) => {
    await run('ssh-add', ['-q', ...files], { env })
  }
  return {
    socket,
    add,
    holdNone,
    async holdOnly(type) {
      await holdNone()
      keys += 1
      const file = join(directory, `key-${keys}`)
      await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'test', '-f', file])
      await add(file)
      const [privateKey, publicKey] = [await readFile(file, 'utf8'), await readFile(`${file}.pub`, 'utf8')]
      const { stdout } = await run('ssh-keygen', ['-lf', `${file}.pub`])
      return { privateKey, publicKey, publicFile: `${file}.pub`, fingerprint: stdout.split(' ')[1] ?? '' }
    },
    async close() {
      const ended = once(agent, 'close')
      agent.kill()
      await ended
      await rm(directory, { recursive: true, force: true })
    }
  }
}
