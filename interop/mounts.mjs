import { userInfo } from 'node:os'

/**
 * What precedes a command so that it alone sees `from` in the place of `to`, for each pair: some servers read a file at
 * a fixed place, which is not ours to change. It takes root, and Linux.
 */
export function withMounts(pairs) {
  const mounts = pairs.map((_, index) => `mount --rbind "$${2 * index + 1}" "$${2 * index + 2}"`).join(' && ')
  const script = `${mounts} && shift ${2 * pairs.length} && exec "$@"`
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...pairs.flat()]
}

/** Why it cannot be done here; `undefined` where it can. */
export function whyNoMounts() {
  if (process.platform !== 'linux') return 'it needs Linux'
  return userInfo().uid === 0 ? undefined : 'it needs root'
}
