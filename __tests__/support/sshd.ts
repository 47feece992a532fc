import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { describeWithProgram } from './describe-with-program.js'
import { freePort } from './free-port.mjs'

const run = promisify(execFile)
const host = '127.0.0.1'
const startTries = 5

export interface SshdOptions {
  /** Lines of sshd_config; they come first, and in sshd_config the first value wins. */
  readonly options?: readonly string[]
  /** `internal` by default; `external` starts OpenSSH's sftp-server program. */
  readonly sftp?: 'internal' | 'external'
  /** For example `-R`, read-only. */
  readonly sftpArguments?: string
  /** A shell command that is run before the sftp-server program, in its process: for example `ulimit -n 20`. */
  readonly before?: string
  /** Of the encrypted key. */
  readonly passphrase?: string
}

export interface Sshd {
  readonly host: string
  readonly port: number
  /** An empty directory for uploads: absolute, the same path over SFTP. */
  readonly root: string
  readonly username: string
  /** In OpenSSH form. */
  readonly privateKey: string
  /** Another accepted key, encrypted with `passphrase`. */
  readonly encryptedKey: string
  readonly passphrase: string
  /** The file of the public keys that may log in. */
  readonly authorizedKeys: string
  readonly knownHosts: string
  /** `SHA256:…`, without padding. */
  readonly hostKeyFingerprint: string
  /** The same line for a link in front of the server. */
  formatKnownHosts(port: number): string
  /** All that sshd has logged, at level VERBOSE: logins, refusals, ends of connections. */
  log(): string
  /** The listening process, and those that serve connections. */
  pids(): Promise<{ listener: number; sessions: number[] }>
  /** Kills the listener and all connections and starts it again, same port and keys. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** The path of sshd, or undefined where there is none. */
export function findSshd(): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']
  return findProgram(
    'sshd',
    directories.filter(directory => directory !== '')
  )
}

/** A describe that needs sshd: without it, skipped with one line, or failed where CI is set. */
export function describeWithSshd(name: string, define: () => void): void {
  describeWithProgram({ name: 'sshd', isThere: findSshd() !== undefined }, name, define)
}

/** Starts OpenSSH's sshd for the current user on a free port of 127.0.0.1, with keys of its own. */
export async function startSshd({
  options = [],
  sftp = 'internal',
  sftpArguments = '',
  before,
  passphrase = 'a passphrase for tests'
}: SshdOptions = {}): Promise<Sshd> {
  const program = findSshd()
  if (program === undefined) throw new Error('sshd is not installed')
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'sshd-')))
  const root = join(directory, 'uploads')
  await mkdir(root)
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })

  const [hostKey, loginKey, encryptedKey] = await Promise.all([
    generateKey(join(directory, 'host_key'), ''),
    generateKey(join(directory, 'login_key'), ''),
    generateKey(join(directory, 'encrypted_key'), passphrase)
  ])
  const authorizedKeys = join(directory, 'authorized_keys')
  await writeFile(authorizedKeys, loginKey.publicLine + encryptedKey.publicLine)
  const fingerprint = await run('ssh-keygen', ['-l', '-E', 'sha256', '-f', join(directory, 'host_key.pub')])

  const subsystem = sftp === 'internal' ? 'internal-sftp' : await wrapped(findSftpServer())
  async function wrapped(server: string): Promise<string> {
    if (before === undefined) return server
    const script = join(directory, 'sftp-server.sh')
    await writeFile(script, `#!/bin/sh\n${before}\nexec ${server} "$@"\n`, { mode: 0o755 })
    return script
  }
  const formatConfig = (port: number) =>
    [
      ...options,
      `ListenAddress ${host}`,
      `Port ${port}`,
      `HostKey ${join(directory, 'host_key')}`,
      `PidFile ${join(directory, 'sshd.pid')}`,
      `AuthorizedKeysFile ${authorizedKeys}`,
      'PubkeyAuthentication yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      'UseDNS no',
      'LogLevel VERBOSE',
      // Of this one the last value wins.
      ...(options.some(line => line.startsWith('MaxStartups')) ? [] : ['MaxStartups 100:30:200']),
      `Subsystem sftp ${subsystem} ${sftpArguments}`,
      ''
    ].join('\n')

  const configFile = join(directory, 'sshd_config')
  const log = { text: '' }
  const start = async (port: number) => {
    await writeFile(configFile, formatConfig(port))
    return listen(program, configFile, log)
  }

  const started = await startOnFreePort(start, log)
  const { port } = started
  let { listener } = started
  const end = async () => {
    const ended = new Promise(resolve => listener.once('close', resolve))
    const running = listener.exitCode === null && listener.signalCode === null
    const sessions = await listDescendants(listener.pid)
    for (const pid of sessions) kill(pid)
    listener.kill('SIGKILL')
    if (running) await ended
  }
  const formatKnownHosts = (atPort: number) => `[${host}]:${atPort} ${hostKey.publicKey}\n`

  return {
    host,
    port,
    root,
    username: userInfo().username,
    privateKey: loginKey.privateKey,
    encryptedKey: encryptedKey.privateKey,
    passphrase,
    authorizedKeys,
    knownHosts: formatKnownHosts(port),
    hostKeyFingerprint: fingerprint.stdout.split(' ')[1] ?? '',
    formatKnownHosts,
    log: () => log.text,
    async pids() {
      const { pid } = listener
      if (pid === undefined) throw new Error('sshd is not running')
      return { listener: pid, sessions: await listDescendants(pid) }
    },
    async restart() {
      await end()
      listener = await start(port)
    },
    async close() {
      await end()
      await rm(directory, { recursive: true, force: true })
    }
  }
}

function findProgram(name: string, directories: readonly string[]): string | undefined {
  return directories.map(directory => join(directory, name)).find(path => existsSync(path))
}

function findSftpServer(): string {
  const directories = [
    '/usr/lib/openssh',
    '/usr/libexec',
    '/usr/libexec/openssh',
    '/usr/lib/ssh',
    '/usr/lib/misc'
  ]
  const path = findProgram('sftp-server', directories)
  if (path === undefined) throw new Error(`sftp-server: not in ${directories.join(', ')}`)
  return path
}

async function generateKey(path: string, protectedBy: string) {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', protectedBy, '-C', 'test', '-f', path])
  const publicLine = await readFile(`${path}.pub`, 'utf8')
  const publicKey = publicLine.split(' ').slice(0, 2).join(' ')
  return { privateKey: await readFile(path, 'utf8'), publicLine, publicKey }
}

/** A port that was free a moment ago may be taken by another test: then the next one. */
async function startOnFreePort(start: (port: number) => Promise<ChildProcess>, log: { text: string }) {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    try {
      return { listener: await start(port), port }
    } catch (error) {
      if (tries === startTries || !log.text.includes('Address already in use')) throw error
    }
  }
}

/** Resolves when sshd says that it listens; rejects with its log when it ends before. */
function listen(program: string, configFile: string, log: { text: string }): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-D', '-e', '-f', configFile], { stdio: ['ignore', 'ignore', 'pipe'] })
    const from = log.text.length
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text: string) => {
      log.text += text
      if (log.text.includes('Server listening on', from)) resolve(child)
    })
    child.once('error', reject)
    child.once('exit', code =>
      reject(new Error(`sshd ended with ${code ?? 'a signal'}: ${log.text.slice(from)}`))
    )
  })
}

async function listDescendants(ancestor: number | undefined): Promise<number[]> {
  if (ancestor === undefined) return []
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  const processes = stdout
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
  const found = [ancestor]
  for (const parent of found) {
    for (const [pid, ppid] of processes) {
      if (pid !== undefined && ppid === parent) found.push(pid)
    }
  }
  return found.slice(1)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // Errors of Node itself are none of jest's realm.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
