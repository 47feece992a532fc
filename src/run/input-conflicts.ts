import { printable } from './printable.js'
import type { Settings } from './settings.js'

/** Says of inputs that are right one by one and do not go together what they must be, a line each. */
export function conflictsOf(settings: Settings): string[] {
  return [...unsafeDeletion(settings), ...sharedList(settings)]
}

function unsafeDeletion({ deletion, selection, target }: Settings): string[] {
  if (deletion === undefined) return []
  const { shard } = selection
  const path = target.remotePath
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  return [
    ...(parts.length > 0 && !parts.includes('..')
      ? []
      : [
          `delete: must go with a remote-path that names a directory below / or the login directory, without ..; found remote-path "${printable(path, 80)}"`
        ]),
    ...(shard === undefined
      ? []
      : [
          `delete: must not go with shard, because a shard sees only its share of the files; found shard "${shard.index}/${shard.count}"`
        ])
  ]
}

function sharedList({ selection: { shard }, target: { checksumFile } }: Settings): string[] {
  if (shard === undefined || checksumFile === undefined) return []
  return [
    `checksum-file: must not go with shard, because each shard would replace the list of the others; found shard "${shard.index}/${shard.count}"`
  ]
}
