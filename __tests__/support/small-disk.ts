import { describe } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'

export interface SmallDisk {
  readonly path: string
  /** Makes it as large as this many MiB. */
  resize(mebibytes: number): void
  close(): void
}

/** A describe that mounts disks of its own: skipped with one line where this user may not. */
export function describeWithMounts(name: string, define: () => void): void {
  if (process.platform === 'linux' && userInfo().uid === 0) {
    describe(name, define)
  } else {
    console.log(`skipped, only root can mount a disk: ${name}`)
    describe.skip(name, define)
  }
}

/** Mounts an empty disk of that size in memory. */
export function mountDisk(path: string, mebibytes: number, option = 'rw'): SmallDisk {
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `${option},size=${mebibytes}m`, 'tmpfs', path])
  return {
    path,
    resize: size => void execFileSync('mount', ['-o', `remount,size=${size}m`, path]),
    // Something may still have it open.
    close: () => void execFileSync('umount', ['--lazy', path])
  }
}
