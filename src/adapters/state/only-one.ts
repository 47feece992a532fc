import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../core/errors.js'

/** The process at work in a state directory, as far as this machine can tell. */
export interface Presence {
  /** Another process of this machine that is at work there. */
  readonly other: number | undefined
  leave(): Promise<void>
}

const PREFIX = '.running-'
const SIGN_OF_LIFE_MS = 30_000
/** Without a sign for so long a process is gone, whatever has its number now. */
const GONE_AFTER_MS = 5 * 60_000

/**
 * Says that this process is at work in the directory, time and again, then looks who else is. Two that begin at the same
 * moment see each other, so never both believe that they are alone. Processes of other machines, which may see the same
 * disk, are not seen: whether they are gone their state says.
 */
export async function enter(directory: string, machine: string, pid = process.pid): Promise<Presence> {
  const prefix = `${PREFIX}${machine}-`
  const signOf = (process: number) => join(directory, `${prefix}${process}`)
  await mkdir(directory, { recursive: true })
  await writeFile(signOf(pid), '')
  const repeating = setInterval(() => {
    const now = new Date()
    utimes(signOf(pid), now, now).catch(() => undefined)
  }, SIGN_OF_LIFE_MS).unref()
  const others = (await readdir(directory))
    .filter(name => name.startsWith(prefix))
    .map(name => Number(name.slice(prefix.length)))
    .filter(other => other !== pid)
  const atWork: number[] = []
  for (const other of others) {
    if (isAlive(other) && (await isFresh(signOf(other)))) atWork.push(other)
    else await rm(signOf(other), { force: true })
  }
  const leave = () => {
    clearInterval(repeating)
    return rm(signOf(pid), { force: true })
  }
  return { other: atWork[0], leave }
}

async function isFresh(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && Date.now() - found.mtimeMs < GONE_AFTER_MS
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is there, and another user's.
    return codeOf(error) === 'EPERM'
  }
}
