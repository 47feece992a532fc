import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { whyNoMounts } from './mounts.mjs'

/** Makes the directory a disk of its own of so many bytes; `undefined` where that is not possible. */
export function mountSmallDisk(path, size) {
  if (whyNoMounts() !== undefined) return undefined
  mkdirSync(path, { recursive: true })
  const mount = (...options) => execFileSync('mount', ['-t', 'tmpfs', ...options, 'tmpfs', path])
  mount('-o', `size=${size}`)
  return {
    resize: bytes => mount('-o', `remount,size=${bytes}`),
    // Whoever still has a file open there keeps it until then.
    unmount: () => execFileSync('umount', ['--lazy', path])
  }
}
