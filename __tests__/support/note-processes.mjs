import childProcess from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

// Loaded before a program's own code, and before that of each Node program that it starts: see started-processes.ts.
const file = new URL(import.meta.url).searchParams.get('to')
const note = texts => appendFileSync(file, `${texts.join('\n')}\n`)

note([...process.execArgv, ...process.argv])

const { ChildProcess } = childProcess
const { spawn } = ChildProcess.prototype
/** All that does not wait for its process comes through here. */
ChildProcess.prototype.spawn = function (options) {
  note([options.file, ...options.args, ...options.envPairs])
  return spawn.call(this, options)
}

for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
  const start = childProcess[name]
  childProcess[name] = (...given) => {
    note(given.flatMap(textsIn))
    return start(...given)
  }
}
syncBuiltinESMExports()

/** A program, its arguments, or options that may have variables. */
function textsIn(given) {
  if (typeof given === 'string' || Array.isArray(given)) return given
  return Object.entries(given?.env ?? {}).map(([name, value]) => `${name}=${value}`)
}
