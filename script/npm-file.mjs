import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { npm, root } from './packages.mjs'

/** The path of one file of an npm package, without what it depends on, in .tools/; undefined, with a line why, where it cannot be had. */
export function npmFile(name, version, file) {
  const directory = join(root, '.tools', `${name}-${version}`)
  const path = join(directory, basename(file))
  if (existsSync(path)) return path
  console.log(`Fetching ${name} ${version}`)
  mkdirSync(directory, { recursive: true })
  const temp = mkdtempSync(join(directory, 'fetched-'))
  try {
    npm('pack', `${name}@${version}`, '--pack-destination', temp, '--silent')
    const [archive] = readdirSync(temp)
    // Relative: a colon, as after the letter of a drive, would name a host.
    const { status, error } = spawnSync('tar', ['-xzf', archive, `package/${file}`], { cwd: temp })
    if (status !== 0) throw error ?? new Error(`tar ended with ${status}`)
    renameSync(join(temp, 'package', file), path)
    return path
  } catch (error) {
    console.log(`${name} ${version} is not to be had here (${error.message.split('\n', 1)[0]})`)
    return undefined
  } finally {
    rmSync(temp, { recursive: true, force: true })
  }
}
