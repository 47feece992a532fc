// One upload by one client: how long it took, whether it worked, and whether the bytes are there.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'

/**
 * Seconds of the whole process, and MiB of memory at its peak where the system tells them (Linux; without the processes
 * that it starts); `wrong` says what was wrong with the outcome.
 */
export async function measure({ command, env = {}, input = '' }, { from, target, limitMs }) {
  const [program, ...values] = command
  const start = process.hrtime.bigint()
  const child = spawn(program, values, { env: { ...process.env, ...env }, stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.on('error', () => undefined).end(input)
  let peakMib
  const watch = setInterval(() => (peakMib = peakOf(child.pid) ?? peakMib), 20)
  let complaint = ''
  child.stderr.on('data', text => (complaint = (complaint + text).slice(-500)))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, limitMs)
  const code = await new Promise(resolve => child.on('close', resolve))
  clearTimeout(timer)
  clearInterval(watch)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const wrong = late
    ? `not done after ${limitMs / 1000} s`
    : code === 0
      ? difference(from, target)
      : `exit code ${code}: ${complaint.trim().split('\n').at(-1)}`
  rmSync(target, { recursive: true, force: true })
  return { seconds, peakMib, wrong }
}

function peakOf(pid) {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kib && Math.round(kib / 1024)
  } catch {
    return undefined
  }
}

function difference(from, target) {
  for (const name of readdirSync(from)) {
    try {
      const [here, there] = [join(from, name), join(target, name)]
      if (statSync(here).size !== statSync(there).size) return `${name} has another size`
      if (digest(here) !== digest(there)) return `${name} has other bytes`
    } catch (error) {
      return `${name}: ${error.code}`
    }
  }
  return undefined
}

function digest(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
