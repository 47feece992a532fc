import { createCipheriv, createHash } from 'node:crypto'
import type { ByteRange } from '../../src/core/blocks.js'

const POOL_LENGTH = 48 * 1024 * 1024
let pool: Buffer | undefined

/** Bytes that never repeat, the same for the same seed; not to be written to. */
export function bytesOf(seed: number, size: number): Buffer {
  pool ??= createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(
    Buffer.alloc(POOL_LENGTH)
  )
  const at = (Math.abs(Math.trunc(seed)) * 104_729 + 1) % (POOL_LENGTH - size)
  return pool.subarray(at, at + size)
}

/** A copy with other bytes in the range. */
export function changed(bytes: Uint8Array, { offset, length }: ByteRange, seed: number): Buffer {
  const copy = Buffer.from(bytes)
  bytesOf(seed + 5_000, length).copy(copy, offset)
  return copy
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.length === b.length && Buffer.compare(a, b) === 0
}

const digests = new WeakMap<ArrayBufferLike, Map<string, string>>()
const contents = new Map<string, Uint8Array>()

/** SHA-256 in base64; remembered, because it costs most of what a test costs. `bytes` is never written to. */
export function digestOf(bytes: Uint8Array): string {
  const known = digests.get(bytes.buffer) ?? new Map<string, string>()
  digests.set(bytes.buffer, known)
  const place = `${bytes.byteOffset}:${bytes.length}`
  const digest = known.get(place) ?? createHash('sha256').update(bytes).digest('base64')
  known.set(place, digest)
  // What is forgotten costs time, and what is kept costs memory.
  if (contents.size > 300) contents.clear()
  contents.set(digest, bytes)
  return digest
}

/** Whether these are the bytes that had the digest. */
export function hasDigest(bytes: Uint8Array, digest: string): boolean {
  const content = contents.get(digest)
  if (content !== undefined) return sameBytes(content, bytes)
  return createHash('sha256').update(bytes).digest('base64') === digest
}

/** From 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
