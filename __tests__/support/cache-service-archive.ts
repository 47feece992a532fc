import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CacheEntry, CacheService } from './cache-service.mjs'

const run = promisify(execFile)

/** The `.upload.meta` in an entry, as it is. */
export async function readEntry(entry: CacheEntry): Promise<string> {
  return inDirectory(async directory => {
    await unpack(entry, directory)
    return readFile(join(directory, '.upload.meta'), 'utf8')
  })
}

/** Puts another `.upload.meta` into an entry, under its name or another one, packed as the client packs. */
export async function rewriteEntry(
  entry: CacheEntry,
  change: (meta: string) => string,
  name = '.upload.meta'
): Promise<void> {
  await inDirectory(async directory => {
    await unpack(entry, directory)
    const meta = await readFile(join(directory, '.upload.meta'), 'utf8')
    await writeFile(join(directory, name), change(meta))
    await run('tar', ['--posix', '-cf', 'again', '-P', '-C', directory, compression(entry), name], {
      cwd: directory
    })
    entry.bytes = await readFile(join(directory, 'again'))
  })
}

/** The indexes of the blocks that the newest entry says are acknowledged, of its only file. */
export async function acknowledgedBlocks({ entries }: CacheService): Promise<number[]> {
  const newest = entries.at(-1)
  if (newest === undefined) throw new Error('the cache has no entry')
  return blocksIn(await readEntry(newest))
}

/** The indexes of the blocks that an `.upload.meta` says are acknowledged, of its only file. */
export function blocksIn(meta: string): number[] {
  const { payload } = JSON.parse(meta) as { payload: string }
  const { targets } = JSON.parse(payload) as { targets: Record<string, { blocks: string }> }
  const [record] = Object.values(targets)
  return (record?.blocks ?? '')
    .split(',')
    .filter(Boolean)
    .flatMap(range => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

async function unpack(entry: CacheEntry, directory: string): Promise<void> {
  const archive = join(directory, 'archive')
  await writeFile(archive, entry.bytes)
  await run('tar', ['-xf', archive, '-P', '-C', directory, compression(entry)])
}

/** The client takes zstd where it is installed. */
function compression({ bytes }: CacheEntry): string {
  return bytes.subarray(0, 4).equals(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) ? '--zstd' : '--gzip'
}

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cache-entry-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
