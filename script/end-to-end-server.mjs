// The server of the end-to-end workflow: OpenSSH's sshd on this machine, behind a line that is slow until it is told
// otherwise. It lives on between the steps of a job.
//
//   node script/end-to-end-server.mjs start DIRECTORY        writes what is needed to log in to $GITHUB_OUTPUT
//   node script/end-to-end-server.mjs full-speed DIRECTORY
//   node script/end-to-end-server.mjs stop DIRECTORY
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync
} from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLink } from '../__tests__/support/link.mjs'
import { startSshd } from './sshd.mjs'

/** Bytes a second before `full-speed`. */
const SLOW = 512 * 1024
const START_LIMIT_MS = 20_000
/** Longer than the workflow may take: a job that was killed leaves nothing behind for good. */
const LIFE_MS = 15 * 60_000

const [command, path] = process.argv.slice(2)
const commands = { start, serve, 'full-speed': () => signal('SIGUSR2'), stop: () => signal('SIGTERM') }
if (!Object.hasOwn(commands, command) || path === undefined) {
  throw new Error(
    `usage: end-to-end-server.mjs start|full-speed|stop DIRECTORY; found ${process.argv.slice(2).join(' ')}`
  )
}
const directory = resolve(path)
const file = name => join(directory, name)
await commands[command]()

/** Starts `serve` in a process of its own and waits until it listens. */
async function start() {
  mkdirSync(directory, { recursive: true })
  const log = openSync(file('log'), 'a')
  const server = spawn(process.execPath, [import.meta.filename, 'serve', directory], {
    detached: true,
    stdio: ['ignore', log, log]
  })
  let ended = false
  server.on('exit', () => (ended = true))
  const giveUpAt = Date.now() + START_LIMIT_MS
  while (!existsSync(file('server.json'))) {
    if (ended || Date.now() > giveUpAt)
      throw new Error(`the server does not start:\n${readFileSync(file('log'), 'utf8')}`)
    await sleep(50)
  }
  server.unref()

  const { outputs } = readServer()
  // The key is worth nothing after this job, and yet no log should ever show one.
  for (const line of outputs.key.trim().split('\n')) console.log(`::add-mask::${line}`)
  for (const [name, value] of Object.entries(outputs)) writeOutput(name, value)
}

async function serve() {
  const root = file('uploads')
  mkdirSync(root)
  const sshd = await startSshd(directory, {
    options: ['ListenAddress 127.0.0.1'],
    onMessage: text => process.stderr.write(text)
  })
  sshd.process.on('exit', code => process.exit(code ?? 1))

  const link = await startLink({ port: sshd.port })
  link.bytesPerSecond = SLOW
  process.on('SIGUSR2', () => (link.bytesPerSecond = undefined))
  process.on('SIGTERM', () => sshd.process.kill())
  setTimeout(() => sshd.process.kill(), LIFE_MS)
  const outputs = {
    host: '127.0.0.1',
    port: String(link.port),
    username: sshd.username,
    key: sshd.loginKey.private,
    'known-hosts': `[127.0.0.1]:${link.port} ${sshd.hostKey.public}`,
    root
  }
  // A reader sees all of it or nothing.
  writeFileSync(file('server.json.new'), JSON.stringify({ pid: process.pid, outputs }), { mode: 0o600 })
  renameSync(file('server.json.new'), file('server.json'))
}

function signal(name) {
  process.kill(readServer().pid, name)
}

function readServer() {
  return JSON.parse(readFileSync(file('server.json'), 'utf8'))
}

function writeOutput(name, value) {
  appendFileSync(
    process.env.GITHUB_OUTPUT ?? '/dev/stdout',
    `${name}<<END-OF-VALUE\n${value.trim()}\nEND-OF-VALUE\n`
  )
}
