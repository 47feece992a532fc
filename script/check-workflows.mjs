// Checks the workflows: actionlint for what GitHub would not understand, zizmor for what an attacker would. Both are
// installed into .tools/; where their registries do not answer, a line says so.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { goTool } from './go-tool.mjs'
import { root } from './packages.mjs'

const ACTIONLINT = 'v1.7.12'
const ZIZMOR = '1.32.0'
const PIP_LIMIT_MS = 60_000

check('actionlint', goTool('github.com/rhysd/actionlint/cmd/actionlint', ACTIONLINT), [])
check('zizmor', zizmor(), [
  '--offline',
  '--quiet',
  '--no-progress',
  '--persona=pedantic',
  '.github',
  'action.yml'
])

function check(name, program, options) {
  if (program === undefined) {
    console.log(`The workflows were NOT checked with ${name}`)
    return
  }
  const { status, stdout, stderr } = spawnSync(program, options, { cwd: root, encoding: 'utf8' })
  if (status === 0) {
    console.log(`${name}: nothing found in the workflows`)
    return
  }
  console.log(`${stdout}${stderr}`)
  process.exitCode = 1
}

/** pip puts the program beside its packages, so that neither a virtual environment nor the system's is needed. */
function zizmor() {
  const directory = join(root, '.tools', `zizmor-${ZIZMOR}`)
  const program = join(directory, 'bin', 'zizmor')
  if (existsSync(program)) return program
  console.log(`Installing zizmor ${ZIZMOR}`)
  const { status, error, stderr } = spawnSync(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', directory, `zizmor==${ZIZMOR}`],
    { encoding: 'utf8', timeout: PIP_LIMIT_MS }
  )
  if (status === 0 && existsSync(program)) return program
  console.log(`zizmor is not to be had here (${error?.message ?? stderr.trim().split('\n').at(-1)})`)
  return undefined
}
