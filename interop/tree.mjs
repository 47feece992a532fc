import { createCipheriv, createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const MIB = 1024 * 1024

/** `size` bytes that never repeat, the same for the same seed. */
export function bytesOf(size, seed) {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

/** Writes files below a directory, given their sizes; each one's bytes follow from its name. */
export async function writeTree(directory, sizes) {
  await mkdir(directory, { recursive: true })
  for (const [name, size] of Object.entries(sizes)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytesOf(size, name))
  }
}

/** Writes other bytes into the middle of a file. */
export async function change(path, offset) {
  const file = await open(path, 'r+')
  try {
    await file.write(Buffer.from('these bytes are of a later build'), 0, 32, offset)
  } finally {
    await file.close()
  }
}

/**
 * What differs first between two directories, in words; `undefined` when they hold the same files with the same bytes.
 * Files that have been `found` and whose names match `ignored` do not count.
 */
export async function difference(found, expected, ignored = /$^/) {
  const there = (await list(found)).filter(name => !ignored.test(name))
  const here = await list(expected)
  const missing = here.find(name => !there.includes(name))
  if (missing !== undefined) return `${missing} is not there`
  const more = there.find(name => !here.includes(name))
  if (more !== undefined) return `${more} is left over`
  for (const name of here) {
    const [a, b] = await Promise.all([readFile(join(found, name)), readFile(join(expected, name))])
    if (a.equals(b)) continue
    const at = a.findIndex((byte, index) => byte !== b[index])
    return `${name} has ${a.length} bytes of ${b.length}, and differs at ${at === -1 ? a.length : at}`
  }
  return undefined
}

/** Names of all files below a directory. */
async function list(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}
