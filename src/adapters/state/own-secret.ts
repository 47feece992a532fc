import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../../core/errors.js'

/**
 * A secret of this user on this machine, made when it is first asked for.
 *
 * @throws Error when the file can neither be read nor made, or holds something else.
 */
export async function ownSecret(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  try {
    await writeFile(path, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  const secret = (await readFile(path, 'utf8')).trim()
  if (!/^[0-9a-f]{64}$/.test(secret)) throw new Error(`${path} must hold 64 hexadecimal digits`)
  return secret
}
