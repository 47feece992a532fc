import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'

/** Makes the directory a disk of its own of so many bytes; `undefined` where that is not possible: it takes root and Linux. */
export function mountSmallDisk(path, size) {
  if (process.platform !== 'linux' || userInfo().uid !== 0) return undefined
  mkdirSync(path, { recursive: true })
  const mount = (...options) => execFileSync('mount', ['-t', 'tmpfs', ...options, 'tmpfs', path])
  mount('-o', `size=${size}`)
  return {
    resize: bytes => mount('-o', `remount,size=${bytes}`),
    // Whoever still has a file open there keeps it until then.
    unmount: () => execFileSync('umount', ['--lazy', path])
  }
}
