import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const zeros = Buffer.alloc(1024 * 1024)

/**
 * Writes `size` bytes that never repeat and are the same for the same seed: an AES-CTR key stream. Takes little memory
 * at any size. Returns the SHA-256 in hex.
 */
export async function writeArtifact(
  path: string,
  size: number,
  seed: string | number = 0
): Promise<{ sha256: string }> {
  const stream = keyStream(seed)
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  try {
    for (let written = 0; written < size;) {
      const chunk = stream.update(zeros.subarray(0, Math.min(zeros.length, size - written)))
      hash.update(chunk)
      await file.writeFile(chunk)
      written += chunk.length
    }
  } finally {
    await file.close()
  }
  return { sha256: hash.digest('hex') }
}

/** The first `size` bytes of what `writeArtifact` writes for that seed, in memory. */
export function artifactBytes(size: number, seed: string | number = 0): Buffer {
  return keyStream(seed).update(Buffer.alloc(size))
}

/** The SHA-256 of a file in hex. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: zeros.length }), hash)
  return hash.digest('hex')
}

function keyStream(seed: string | number) {
  const key = createHash('sha256').update(String(seed)).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
}

/** Writes files below `directory`: a number is a size and gives an artifact seeded with the name, text is content. */
export async function writeTree(
  directory: string,
  files: Readonly<Record<string, number | string>>
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    if (typeof content === 'string') await writeFile(path, content)
    else await writeArtifact(path, content, name)
  }
}
