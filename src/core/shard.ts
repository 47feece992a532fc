import { createHash } from 'node:crypto'
import type { PlannedFile } from './plan.js'

/** One job's share among several, `2/5`: `index` counts from 1 to `count`. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/**
 * The files of this shard, in order. Every file is in exactly one shard, which its remote path and the number of shards
 * alone decide: no file moves because another one came, went or grew, and one shard more takes files only to itself.
 */
export function filesOfShard(files: readonly PlannedFile[], { index, count }: Shard): PlannedFile[] {
  return files.filter(({ remote }) => shardOf(remote, count) === index)
}

/** Jump consistent hash (Lamping and Veach, arXiv 1406.2294) of the path's SHA-256. */
function shardOf(remote: string, count: number): number {
  let key = createHash('sha256').update(remote).digest().readBigUInt64BE()
  let shard = 0
  for (let next = 0; next < count;) {
    shard = next
    key = BigInt.asUintN(64, key * 2_862_933_555_777_941_757n + 1n)
    next = Math.floor((shard + 1) * (2 ** 31 / (Number(key >> 33n) + 1)))
  }
  return shard + 1
}
