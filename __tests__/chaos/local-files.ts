import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blockRange } from '../../src/core/blocks.js'
import type { Ledger } from '../../src/core/ledger.js'
import { artifactBytes } from '../support/artifact.js'
import type { Change } from './scenario.js'

/** The files of one run, and the digests of all versions that they have had. */
export class LocalFiles {
  readonly names: readonly string[]
  private readonly versions = new Map<string, string[]>()
  private made = 0

  constructor(
    readonly directory: string,
    sizes: readonly number[],
    private readonly label: string
  ) {
    this.names = sizes.map((_, index) => nameOf(index))
    for (const [index, name] of this.names.entries()) {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      this.write(name, this.fresh(sizes[index] ?? 0))
    }
  }

  /** All that the file has been from the version at `from` on. */
  versionsOf(name: string, from = 0): readonly string[] {
    return this.versions.get(name)?.slice(from) ?? []
  }

  /** The number of today's version of each file. */
  marks(): ReadonlyMap<string, number> {
    return new Map([...this.versions].map(([name, versions]) => [name, versions.length - 1]))
  }

  change({ file, kind, place }: Change): void {
    const name = this.names[file % this.names.length] ?? ''
    const path = join(this.directory, name)
    const { size } = statSync(path)
    switch (kind) {
      case 'touch':
        utimesSync(path, 1_000, this.made++)
        return
      case 'block':
        if (size === 0) return
        writeFileSync(path, withChange(readFileSync(path), Math.floor(place * size), this.fresh(100)))
        break
      case 'rebuild':
        writeFileSync(path, this.fresh(size))
        break
      case 'grow':
        writeFileSync(path, this.fresh(777), { flag: 'a' })
        break
      default:
        truncateSync(path, Math.floor(place * size))
    }
    this.note(name, readFileSync(path))
  }

  /** Bytes of the blocks of the ledger that the file still has. */
  static matching(path: string, ledger: Ledger): number {
    const bytes = readFileSync(path)
    return ledger.acknowledged().reduce((sum, index) => {
      const { offset, length } = blockRange(ledger.fileSize, index)
      const isSame = sha256(bytes.subarray(offset, offset + length)) === ledger.digestOf(index)
      return sum + (isSame ? length : 0)
    }, 0)
  }

  private write(name: string, bytes: Buffer): void {
    writeFileSync(join(this.directory, name), bytes)
    this.note(name, bytes)
  }

  private note(name: string, bytes: Buffer): void {
    this.versions.set(name, [...(this.versions.get(name) ?? []), sha256(bytes)])
  }

  private fresh(size: number): Buffer {
    return artifactBytes(size, `${this.label} ${this.made++}`)
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function nameOf(index: number): string {
  return index % 3 === 0 ? `file-${index}` : `deep/${index % 2 === 0 ? 'er' : 'est'}/file-${index}`
}

function withChange(bytes: Buffer, at: number, other: Buffer): Buffer {
  other.copy(bytes, at)
  return bytes
}
