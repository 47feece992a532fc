import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { blockRange } from '../../src/core/blocks.js'
import { UploadError } from '../../src/core/errors.js'
import { partPath } from '../../src/core/identity.js'
import type { FileResult } from '../../src/core/report.js'
import type { UploadRecord } from '../../src/core/resume.js'
import { keyedName, openSealed, type StateKeys } from '../../src/core/seal.js'
import { parseUploadMeta } from '../../src/core/upload-meta.js'
import type { SftpRequest } from '../support/sftp-wire.mjs'
import { WIRE_SERVER } from '../support/wire-upload.js'
import { sha256 } from './local-files.js'

const WRITE = 0x02
const STATUS = 101

/**
 * Looks at the server's own disk while uploads are under way: a target is one whole version at any moment, a saved
 * ledger claims nothing that is not there, and what is reported in place is.
 */
export class Watch {
  /** The promises that were broken. */
  readonly broken = new Set<string>()
  /** Off on a server that destroys what it acknowledged. */
  watchesLedger = true
  /** Blocks that were found on the disk as a saved ledger claims them. */
  private readonly found = new Set<string>()

  constructor(
    private readonly root: string,
    private readonly keys: StateKeys,
    /** Digests of the versions that a target may be. */
    private readonly versionsOf: (remote: string) => ReadonlySet<string>
  ) {}

  /** A request of any session was just carried out. A server that cannot replace a file in one step lacks it for a moment. */
  request(request: SftpRequest, answer: Buffer, mayBeAbsent: boolean): void {
    const { op, path = '', newPath = '', flags = 0 } = request
    if (answer[4] === STATUS && answer.readUInt32BE(9) !== 0) return
    const isRename = op === 'rename' || op === 'posixRename'
    if (isRename && isTarget(newPath)) this.target(newPath)
    if (!isTarget(path)) return
    if (op === 'remove' || (isRename && !mayBeAbsent)) this.broken.add(`P1: ${path} was taken away`)
    if (op === 'open' && (flags & WRITE) !== 0) this.broken.add(`P1: ${path} was opened for writing`)
  }

  /** What is at a target is one of the versions. */
  target(remote: string): void {
    const path = join(this.root, remote)
    if (!existsSync(path)) return
    if (!this.versionsOf(remote).has(sha256(readFileSync(path)))) {
      this.broken.add(`P1: ${remote} is no whole version`)
    }
  }

  checkpoint(sealed: string, remotes: readonly string[]): void {
    if (!this.watchesLedger) return
    for (const [remote, record] of recordsIn(this.keys, sealed, remotes)) {
      if (record.published === undefined) this.ledger(remote, record)
    }
  }

  /** @param accepts the versions that the run may have put in place. */
  result({ file, status, error, reusedBytes }: FileResult, accepts: readonly string[]): void {
    const { remote } = file
    if (status === 'failed') {
      if (!(error instanceof UploadError))
        this.broken.add(`P4: ${remote} failed without a reason: ${String(error)}`)
      return
    }
    if (reusedBytes > file.size) this.broken.add(`${remote}: ${reusedBytes} of ${file.size} bytes reused`)
    const path = join(this.root, remote)
    const found = existsSync(path) ? sha256(readFileSync(path)) : 'nothing'
    if (!accepts.includes(found)) this.broken.add(`P4: ${remote} is ${status} and not in place`)
  }

  /** No part file of these ids is left of targets that are in place. */
  orphans(remotes: readonly string[], ids: ReadonlySet<string>): void {
    for (const path of this.strangers(remotes)) {
      const [, target = '', id = ''] = /^(.+)\.([0-9a-f]{8})\.part(?:\.old)?$/.exec(path) ?? []
      if (remotes.includes(target) && ids.has(id)) this.broken.add(`${path} is left of a finished upload`)
    }
  }

  /** Files below the root that are none of the targets. */
  strangers(targets: readonly string[]): string[] {
    return readdirSync(this.root, { recursive: true, withFileTypes: true })
      .filter(entry => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name).slice(this.root.length + 1))
      .filter(path => !targets.includes(path))
  }

  private ledger(remote: string, { ledger, partId }: UploadRecord): void {
    const path = partPath(remote, partId)
    // Where nothing is, the next run finds nothing and starts, or reads all that is in its target.
    if (!existsSync(join(this.root, path))) return
    const claims = ledger
      .acknowledged()
      .map(index => ({ index, claim: `${remote} ${partId} ${index} ${ledger.digestOf(index) ?? ''}` }))
      .filter(({ claim }) => !this.found.has(claim))
    if (claims.length === 0) return
    const bytes = readFileSync(join(this.root, path))
    for (const { index, claim } of claims) {
      const { offset, length } = blockRange(ledger.fileSize, index)
      if (sha256(bytes.subarray(offset, offset + length)) === ledger.digestOf(index)) this.found.add(claim)
      else this.broken.add(`P3: block ${index} of ${path} is in a saved ledger and not on the server`)
    }
  }
}

/** The records of these targets in a saved state. */
export function recordsIn(
  keys: StateKeys,
  sealed: string,
  remotes: readonly string[]
): Map<string, UploadRecord> {
  const { records } = parseUploadMeta(openSealed(keys, sealed))
  return new Map(
    remotes.flatMap(remote => {
      const record = records.get(keyedName(keys, WIRE_SERVER, remote))
      return record === undefined ? [] : [[remote, record] as const]
    })
  )
}

function isTarget(path: string): boolean {
  return path.startsWith('site/') && !/\.part(\.old)?$/.test(path)
}
