import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs npm in a folder; what it prints is shown only when it fails. */
export function npm(...options) {
  const isWindows = process.platform === 'win32'
  execFileSync(isWindows ? 'npm.cmd' : 'npm', options, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: isWindows
  })
}

/** Installs the packages of the lock file, unless they are. */
export function installPackages() {
  if (!areInstalled()) {
    console.log('Installing the npm packages')
    npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
  }
}

function areInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const found = JSON.parse(readFileSync(installed, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, { version, optional, link }]) =>
      path === '' || optional === true || link === true || found[path]?.version === version
  )
}
