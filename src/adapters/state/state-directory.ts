import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The file in a state directory, and the one path in a cache entry. */
export const META_NAME = '.upload.meta'

const COPIED_NAME = `${META_NAME}.copied`

/** Far more than 100,000 files need; a larger one was not written here. */
export const LARGEST_META = 256 * 1024 * 1024

/** What was written last, or `undefined`. */
export async function readMeta(directory: string): Promise<string | undefined> {
  const path = join(directory, META_NAME)
  try {
    return (await stat(path)).size > LARGEST_META ? undefined : await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Writes beside and renames: a reader sees the old text or the new one, never a part. */
export async function writeMeta(directory: string, sealed: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, META_NAME)
  await writeFile(`${path}.new`, sealed, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** Notes that this text is outside of the job, too. */
export async function noteCopied(directory: string, sealed: string): Promise<void> {
  await writeFile(join(directory, COPIED_NAME), digestOf(sealed))
}

/** Whether what was written last is outside of the job, too. */
export async function isCopied(directory: string): Promise<boolean> {
  const copied = await readFile(join(directory, COPIED_NAME), 'utf8').catch(() => undefined)
  return copied !== undefined && copied === digestOf((await readMeta(directory)) ?? '')
}

function digestOf(sealed: string): string {
  return createHash('sha256').update(sealed).digest('hex')
}
