import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../script/packages.mjs'

/** Installs those of Debian's packages that are missing, where that is possible. */
export function installPackages(packages) {
  const missing = packages.filter(name => versionOf(name) === undefined)
  if (missing.length === 0) return
  spawnSync(join(root, 'script', 'apt-install'), missing, { stdio: ['ignore', 'inherit', 'inherit'] })
}

/** The version that is installed, without what Debian adds to it; `undefined` where there is none. */
export function versionOf(name) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status} ${Version}', name], {
    encoding: 'utf8'
  })
  const [state, version] = status === 0 ? stdout.split(' ') : []
  if (state !== 'installed') return undefined
  return version.replace(/^\d+:/, '').replace(/[-+~].*$/, '')
}
