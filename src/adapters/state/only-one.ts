import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../core/errors.js'

/** The process at work in a state directory, as far as this machine can tell. */
export interface Presence {
  /** Another process of this machine that is at work there. */
  readonly other: number | undefined
  leave(): Promise<void>
}

const PREFIX = '.running-'

/**
 * Says that this process is at work in the directory, then looks who else is. Two that begin at the same moment see each
 * other, so never both believe that they are alone. Processes of other machines, which may see the same disk, are not
 * seen: whether they are gone their state says.
 */
export async function enter(directory: string, machine: string, pid = process.pid): Promise<Presence> {
  const prefix = `${PREFIX}${machine}-`
  const own = join(directory, `${prefix}${pid}`)
  await mkdir(directory, { recursive: true })
  await writeFile(own, '')
  const others = (await readdir(directory))
    .filter(name => name.startsWith(prefix))
    .map(name => Number(name.slice(prefix.length)))
    .filter(other => other !== pid)
  for (const gone of others.filter(other => !isAlive(other))) {
    await rm(join(directory, `${prefix}${gone}`), { force: true })
  }
  return { other: others.find(isAlive), leave: () => rm(own, { force: true }) }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is there, and another user's.
    return codeOf(error) === 'EPERM'
  }
}
