// One upload by one client: how long it took, whether it worked, and whether the bytes are there.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { clearTimeout, setTimeout } from 'node:timers'

/** Seconds of the whole process; `wrong` says what was wrong with the outcome. */
export async function measure({ command, env = {}, input = '' }, { from, target, limitMs }) {
  const [program, ...values] = command
  const start = process.hrtime.bigint()
  const child = spawn(program, values, { env: { ...process.env, ...env }, stdio: ['pipe', 'ignore', 'pipe'] })
  child.stdin.on('error', () => undefined).end(input)
  let complaint = ''
  child.stderr.on('data', text => (complaint = (complaint + text).slice(-500)))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, limitMs)
  const code = await new Promise(resolve => child.on('close', resolve))
  clearTimeout(timer)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const wrong = late
    ? `not done after ${limitMs / 1000} s`
    : code === 0
      ? difference(from, target)
      : `exit code ${code}: ${complaint.trim().split('\n').at(-1)}`
  rmSync(target, { recursive: true, force: true })
  return { seconds, wrong }
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
