import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root } from './packages.mjs'

/** A program of this size is built in a minute; a registry that does not answer is given up then. */
const INSTALL_LIMIT_MS = 150_000

/** The path of a program from the Go module proxy, built into .tools/; undefined, with a line why, where it cannot be. */
export function goTool(path, version) {
  const name = basename(path)
  const directory = join(root, '.tools', `${name}-${version}`)
  const program = join(directory, name)
  if (existsSync(program)) return program
  console.log(`Installing ${name} ${version}`)
  const { status, error, stderr } = spawnSync('go', ['install', `${path}@${version}`], {
    cwd: root,
    env: { ...process.env, GOBIN: directory },
    encoding: 'utf8',
    timeout: INSTALL_LIMIT_MS
  })
  if (status === 0 && existsSync(program)) return program
  const why = error?.message ?? stderr.trim().split('\n').at(-1)
  console.log(`${name} is not to be had here (${why})`)
  return undefined
}
