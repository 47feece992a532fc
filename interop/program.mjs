import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { whenDone } from './cleanup.mjs'

const START_LIMIT_MS = 20_000
const POLL_MS = 20
const ANSWER_LIMIT_MS = 5000
const OUTPUT_KEPT = 4000

/** A server in a process of its own, which can be killed and started again on its port. */
export class Program {
  #command
  #environment
  #answers
  #process
  #output = ''
  #kill = () => Promise.resolve()

  /** `greets`: whether it greets who connects, as SSH does; then it runs when it has. */
  constructor(command, { port, environment = {}, greets = true }) {
    this.port = port
    this.#command = command
    this.#environment = environment
    this.#answers = () => answers(port, greets)
  }

  /** @throws Error with what it printed when it ends, or does not listen in time. */
  async start() {
    const [program, ...values] = this.#command
    this.#process = spawn(program, values, {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#kill = whenDone(() => this.#killTree())
    let failure
    this.#process.on('error', error => (failure = error))
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', text => (this.#output = `${this.#output}${text}`.slice(-OUTPUT_KEPT)))
    }
    const end = Date.now() + START_LIMIT_MS
    while (!(await this.#answers())) {
      if (failure !== undefined) throw failure
      if (!this.#isRunning) throw new Error(`${program} ended:\n${this.#output}`)
      if (Date.now() > end) throw new Error(`${program} does not listen:\n${this.#output}`)
      await sleep(POLL_MS)
    }
    return this
  }

  /** As a crash or a restart of the machine: it and what it has started are gone at once. */
  kill() {
    return this.#kill()
  }

  async #killTree() {
    if (!this.#isRunning) return
    const closed = once(this.#process, 'close')
    for (const pid of [...descendants(this.#process.pid), this.#process.pid]) killProcess(pid)
    await closed
  }

  get #isRunning() {
    return (
      this.#process?.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null
    )
  }
}

function answers(port, greets) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const settle = answer => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(ANSWER_LIMIT_MS, () => settle(false))
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
    socket.on('connect', () => greets || settle(true))
    socket.on('data', text => settle(String(text).startsWith('SSH-')))
  })
}

function descendants(pid) {
  const children = new Map()
  for (const line of execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')) {
    const [child, parent] = line.trim().split(/\s+/).map(Number)
    children.set(parent, [...(children.get(parent) ?? []), child])
  }
  const below = parent => (children.get(parent) ?? []).flatMap(child => [child, ...below(child)])
  return below(pid)
}

function killProcess(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
