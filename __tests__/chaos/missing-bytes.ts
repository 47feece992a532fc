import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { blockCount } from '../../src/core/blocks.js'
import { claimIds, type Claimant } from '../../src/core/claim.js'
import { partPath, type VerifyMode } from '../../src/core/identity.js'
import type { UploadRecord } from '../../src/core/resume.js'
import type { StateKeys } from '../../src/core/seal.js'
import { LocalFiles } from './local-files.js'
import { recordsIn } from './watch.js'

interface Evidence {
  /** What the server shows as `/`. */
  readonly root: string
  readonly keys: StateKeys
  /** The attempt that is to go on. */
  readonly claimant: Claimant
  readonly verify: VerifyMode
}

/** The most that an upload has to send that goes on from the saved state. */
export function missingBytes(local: LocalFiles, sealed: string | undefined, evidence: Evidence): number {
  const remotes = local.names.map(name => `site/${name}`)
  const records = sealed === undefined ? undefined : recordsIn(evidence.keys, sealed, remotes)
  return remotes.reduce((sum, remote, index) => {
    const path = join(local.directory, local.names[index] ?? '')
    const record = records?.get(remote)
    return sum + statSync(path).size - (record === undefined ? 0 : keepable(path, remote, record, evidence))
  }, 0)
}

function keepable(
  path: string,
  remote: string,
  record: UploadRecord,
  { root, claimant, verify }: Evidence
): number {
  const { size, mtimeMs } = statSync(path)
  const { identity, publishing, published, partId, ledger } = record
  if (identity.size !== size || publishing === true || published !== undefined || blockCount(size) <= 1)
    return 0
  if (identity.mtimeMs !== mtimeMs && (verify === 'timestamp' || verify === 'tail')) return 0
  const ids = [partId, ...claimIds(partId, claimant).earlier]
  const isThere = ids.some(id => existsSync(join(root, partPath(remote, id))))
  return isThere ? LocalFiles.matching(path, ledger) : 0
}
