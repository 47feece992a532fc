import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'

// HandlerInvoker and ProcessInvoker of actions/runner 2.336.
const interruptMs = 7500
const terminateMs = 2500
const streamsMs = 5000

const inherited = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'SystemRoot', 'USERPROFILE', 'TEMP', 'TMP', 'PATHEXT']
const rssPollMs = 20

/**
 * A machine that runs one job step of a JavaScript action as the GitHub runner does: the same environment, file
 * commands, masks and signals. Another `layout` has other paths for workspace and temp. runner.d.mts has the contract.
 */
export async function createRunner({
  actionPath,
  cacheUrl,
  runId = '1234567890',
  attempt = 1,
  matrix = null,
  layout = 'runner'
}) {
  const base = await mkdtemp(join(tmpdir(), 'runner-'))
  const workspace = join(base, layout, 'work', 'project', 'project')
  const temp =
    layout === 'runner' ? join(base, layout, 'work', '_temp') : join(base, `temp-${layout}`, 'job', '_temp')
  const toolCache = join(base, 'tools')
  const commandFiles = join(temp, '_runner_file_commands')
  for (const directory of [workspace, toolCache, commandFiles]) await mkdir(directory, { recursive: true })
  const eventPath = join(temp, '_event.json')
  await writeFile(eventPath, '{}')

  const action = readAction(readFileSync(join(actionPath, 'action.yml'), 'utf8'))
  const jobEnvironment = createEnvironment({
    workspace,
    temp,
    toolCache,
    eventPath,
    cacheUrl,
    runId,
    attempt
  })
  const masks = new Set()
  const running = new Set()
  let lastMain

  async function start(script, environment) {
    const files = await createCommandFiles(commandFiles)
    const phase = startPhase({
      script: join(actionPath, script),
      workspace,
      files,
      masks,
      environment: { ...jobEnvironment, ...files, ...environment }
    })
    running.add(phase)
    const forget = () => running.delete(phase)
    void phase.done.then(forget, forget)
    return phase
  }

  const runner = {
    workspace,
    temp,
    async startMain(inputs = {}, env = {}) {
      const environment = { ...env, ...toInputVariables(action.inputs, inputs, matrix) }
      const phase = await start(action.main, environment)
      lastMain = { environment, phase }
      return phase
    },
    async runMain(inputs, env) {
      return (await runner.startMain(inputs, env)).done
    },
    async runPost() {
      if (lastMain === undefined) throw new Error('main has not run, so there is no post')
      if (action.post === undefined) throw new Error('action.yml names no post')
      const { state } = await lastMain.phase.done
      const entries = Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])
      const phase = await start(action.post, { ...lastMain.environment, ...Object.fromEntries(entries) })
      return phase.done
    },
    async run(inputs, env) {
      const main = await runner.runMain(inputs, env)
      return { main, post: action.post === undefined ? undefined : await runner.runPost() }
    },
    async cleanup() {
      for (const phase of running) phase.killTree()
      await Promise.all([...running].map(phase => phase.done))
      await rm(base, { recursive: true, force: true })
    }
  }
  return runner
}

/** Reads what matters of our own action.yml: two spaces of indentation, defaults on one line. */
export function readAction(text) {
  const inputs = {}
  const runs = {}
  let section
  let input
  for (const line of text.split(/\r?\n/)) {
    const [, indent, name, value] = /^( *)([\w-][\w -]*):(?:\s+(.*))?$/.exec(line) ?? []
    if (name === undefined) continue
    if (indent.length === 0) section = name
    else if (section === 'runs' && indent.length === 2) runs[name] = readScalar(value ?? '')
    else if (section === 'inputs' && indent.length === 2) inputs[(input = name)] = ''
    else if (section === 'inputs' && indent.length === 4 && name === 'default')
      inputs[input] = readScalar(value ?? '')
  }
  if (runs.main === undefined) throw new Error('action.yml: runs.main is missing')
  return { inputs, main: runs.main, post: runs.post }
}

function readScalar(text) {
  const single = /^'((?:[^']|'')*)'\s*(?:#.*)?$/.exec(text)
  if (single !== null) return single[1].replaceAll("''", "'")
  const double = /^("(?:[^"\\]|\\.)*")\s*(?:#.*)?$/.exec(text)
  if (double !== null) return JSON.parse(double[1])
  if (/^[|>&*![{]/.test(text))
    throw new Error(`action.yml: only values on one line are read here, found ${text}`)
  return text.replace(/(^|\s)#.*$/, '').trim()
}

/** The environment variables of a step, with the defaults of the inputs that are not given. */
export function toInputVariables(defaults, inputs, matrix = null) {
  const unknown = Object.keys(inputs).filter(name => !Object.hasOwn(defaults, name))
  if (unknown.length > 0) throw new Error(`action.yml has no input ${unknown.join(', ')}`)
  const evaluated = Object.entries(defaults).map(([name, value]) => [name, evaluate(value, matrix)])
  const entries = Object.entries({ ...Object.fromEntries(evaluated), ...inputs })
  return Object.fromEntries(
    entries.map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value])
  )
}

/** The one expression that our own action.yml has. */
function evaluate(value, matrix) {
  if (!value.includes('${{')) return value
  if (value === '${{ toJSON(matrix) }}') return JSON.stringify(matrix, null, 2)
  throw new Error(`action.yml: only toJSON(matrix) is evaluated here, found ${value}`)
}

function createEnvironment({ workspace, temp, toolCache, eventPath, cacheUrl, runId, attempt }) {
  const environment = {
    CI: 'true',
    GITHUB_ACTION: '__owner_project',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION_REF: '',
    GITHUB_ACTION_REPOSITORY: '',
    GITHUB_ACTOR: 'octocat',
    GITHUB_ACTOR_ID: '583231',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_BASE_REF: '',
    GITHUB_EVENT_NAME: 'push',
    GITHUB_EVENT_PATH: eventPath,
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_HEAD_REF: '',
    GITHUB_JOB: 'release',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REF_NAME: 'main',
    GITHUB_REF_PROTECTED: 'false',
    GITHUB_REF_TYPE: 'branch',
    GITHUB_REPOSITORY: 'owner/project',
    GITHUB_REPOSITORY_ID: '1',
    GITHUB_REPOSITORY_OWNER: 'owner',
    GITHUB_REPOSITORY_OWNER_ID: '2',
    GITHUB_RETENTION_DAYS: '90',
    GITHUB_RUN_ATTEMPT: String(attempt),
    GITHUB_RUN_ID: String(runId),
    GITHUB_RUN_NUMBER: '7',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_TRIGGERING_ACTOR: 'octocat',
    GITHUB_WORKFLOW: 'release',
    GITHUB_WORKFLOW_REF: 'owner/project/.github/workflows/release.yml@refs/heads/main',
    GITHUB_WORKFLOW_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_WORKSPACE: workspace,
    RUNNER_ARCH: { x64: 'X64', arm64: 'ARM64' }[process.arch] ?? process.arch,
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_NAME: 'runner',
    RUNNER_OS: { linux: 'Linux', darwin: 'macOS', win32: 'Windows' }[process.platform] ?? process.platform,
    RUNNER_TEMP: temp,
    RUNNER_TOOL_CACHE: toolCache,
    RUNNER_TRACKING_ID: `github_${randomUUID()}`,
    RUNNER_WORKSPACE: join(workspace, '..')
  }
  for (const name of inherited) {
    if (process.env[name] !== undefined) environment[name] = process.env[name]
  }
  if (cacheUrl !== undefined) {
    environment.ACTIONS_CACHE_SERVICE_V2 = 'True'
    environment.ACTIONS_RESULTS_URL = cacheUrl
    environment.ACTIONS_RUNTIME_URL = cacheUrl
    environment.ACTIONS_RUNTIME_TOKEN = 'runtime-token'
  }
  return environment
}

/** Fresh for each phase; the names are those of the runner's FileCommandManager. */
async function createCommandFiles(directory) {
  const id = randomUUID()
  const files = {
    GITHUB_ENV: join(directory, `set_env_${id}`),
    GITHUB_PATH: join(directory, `add_path_${id}`),
    GITHUB_OUTPUT: join(directory, `set_output_${id}`),
    GITHUB_STATE: join(directory, `save_state_${id}`),
    GITHUB_STEP_SUMMARY: join(directory, `step_summary_${id}`)
  }
  for (const file of Object.values(files)) await writeFile(file, '')
  return files
}

function startPhase({ script, workspace, files, masks, environment }) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [script], {
    cwd: workspace,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that the whole tree can be killed.
    detached: process.platform !== 'win32'
  })
  const log = new Log(masks)
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', line => log.add(line))
  }
  const memory = watchMemory(child.pid)
  const killTree = () => killGroup(child)

  let streamsHeldOpen = false
  let exited
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (exitCode, signal) => {
      exited = { exitCode, signal, durationMs: performance.now() - startedAt, peakRssBytes: memory.stop() }
      const limit = setTimeout(() => {
        streamsHeldOpen = true
        killTree()
        for (const stream of [child.stdout, child.stderr]) stream.destroy()
      }, streamsMs)
      child.on('close', () => {
        clearTimeout(limit)
        resolve()
      })
    })
  })
  const done = (async () => {
    await ended
    log.end()
    const [outputs, state] = [
      await readVariables(files.GITHUB_OUTPUT),
      await readVariables(files.GITHUB_STATE)
    ]
    const summary = await readFile(files.GITHUB_STEP_SUMMARY, 'utf8')
    return {
      ...exited,
      log: log.masked(),
      rawLog: log.raw(),
      outputs,
      state,
      summary,
      masks: [...masks],
      streamsHeldOpen
    }
  })()

  return {
    done,
    output: () => log.masked(),
    waitForLine: pattern => log.waitFor(pattern),
    kill: signal => child.kill(signal),
    killTree,
    async cancel() {
      child.kill('SIGINT')
      const timers = [
        setTimeout(() => child.kill('SIGTERM'), interruptMs),
        setTimeout(killTree, interruptMs + terminateMs)
      ]
      const result = await done
      for (const timer of timers) clearTimeout(timer)
      return result
    }
  }
}

function killGroup(child) {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** The kernel's own high-water mark, where there is /proc. */
function watchMemory(pid) {
  let peak
  const read = () => {
    try {
      const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      if (kib !== undefined) peak = Number(kib) * 1024
    } catch {
      // Gone, or no /proc here.
    }
  }
  const timer = process.platform === 'linux' ? setInterval(read, rssPollMs) : undefined
  read()
  return {
    stop() {
      clearInterval(timer)
      return peak
    }
  }
}

/** What a phase prints. A mask hides its text in the lines after it, in all later phases too. */
class Log {
  #masks
  #lines = []
  #raw = []
  #waiting = new Set()

  constructor(masks) {
    this.#masks = masks
  }

  add(line) {
    this.#raw.push(line)
    const [, masked] = /^::add-mask::(.*)$/.exec(line) ?? []
    if (masked !== undefined) this.#mask(unescapeData(masked))
    this.#lines.push(masked === undefined ? this.#hide(line) : '::add-mask::***')
    for (const waiter of [...this.#waiting]) waiter(line)
  }

  end() {
    for (const waiter of [...this.#waiting]) waiter(undefined)
  }

  masked() {
    return this.#lines.join('\n')
  }

  raw() {
    return this.#raw.join('\n')
  }

  /** Resolves with the first line, past or to come, that matches; rejects when the process ends before. */
  waitFor(pattern) {
    const past = this.#raw.find(line => pattern.test(line))
    if (past !== undefined) return Promise.resolve(past)
    return new Promise((resolve, reject) => {
      const waiter = line => {
        if (line !== undefined && !pattern.test(line)) return
        this.#waiting.delete(waiter)
        if (line === undefined)
          reject(new Error(`the process ended without a line ${pattern}:\n${this.masked()}`))
        else resolve(line)
      }
      this.#waiting.add(waiter)
    })
  }

  #mask(value) {
    for (const text of [value, ...value.split(/\r?\n/).map(line => line.trim())]) {
      if (text !== '') this.#masks.add(text)
    }
  }

  #hide(line) {
    return [...this.#masks].reduce((text, mask) => text.replaceAll(mask, '***'), line)
  }
}

function unescapeData(text) {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}

/** `NAME=VALUE`, or `NAME<<DELIMITER`, lines, `DELIMITER`. */
async function readVariables(file) {
  const variables = {}
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/)
  while (lines.length > 0) {
    const line = lines.shift()
    const [, name, mark, rest] = /^(.*?)(<<|=)(.*)$/.exec(line) ?? []
    if (name === undefined) continue
    if (mark === '=') {
      variables[name] = rest
      continue
    }
    const end = lines.indexOf(rest)
    if (end === -1) throw new Error(`${file}: ${name} has no closing ${rest}`)
    variables[name] = lines.slice(0, end).join('\n')
    lines.splice(0, end + 1)
  }
  return variables
}
