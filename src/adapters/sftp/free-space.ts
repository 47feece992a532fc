/** What `statvfs@openssh.com` answers, as far as it matters here (PROTOCOL of OpenSSH, section 4.4). */
export interface FileSystemSpace {
  /** The unit of the others, in bytes. */
  readonly f_frsize: number
  readonly f_blocks: number
  /** Free for others than root. */
  readonly f_bavail: number
}

const LEAST_BLOCK = 512

/**
 * The free bytes that an answer tells; `undefined` where it is none to rely on. Servers over quotas and object stores
 * make the numbers up: nothing free, no blocks, more free than there is. A full disk says so itself at the first write.
 */
export function plausibleFreeBytes({ f_frsize, f_blocks, f_bavail }: FileSystemSpace): number | undefined {
  const isPlausible = f_frsize >= LEAST_BLOCK && f_bavail > 0 && f_bavail <= f_blocks
  return isPlausible ? f_bavail * f_frsize : undefined
}
