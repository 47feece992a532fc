import { createHash } from 'node:crypto'

/** Who claims part files. */
export interface Claimant {
  readonly run: string
  /** Of the jobs of that run, the same in all attempts; the jobs of a matrix have one. */
  readonly job: string
  readonly attempt: number
}

/** The names by which the attempts of a run claim a part file. */
export interface ClaimIds {
  /** The id that the part file gets before it is gone on with; of the same job and attempt, from the same state, always this one. */
  readonly id: string
  /** The ids that earlier attempts of the job gave it, if they got so far, the latest first. */
  readonly earlier: readonly string[]
}

/** How an attempt of a run makes a part file its own that it found in a state. */
export interface Claim extends ClaimIds {
  /** What has that id is one's own: its rename was asked for and the answer lost, or nobody else could have asked for it. */
  readonly isOwn: boolean
}

/** Attempts that are looked back at: each that gets to a file takes what the one before had claimed. */
const LOOKED_BACK = 4

/**
 * By what that attempt claims a part file. The jobs of a matrix do it by the same id; earlier attempts are over, since the
 * attempts of a run come one after the other.
 */
export function claimIds(partId: string, { run, job, attempt }: Claimant): ClaimIds {
  const idOf = (number: number) => claimedId(`${partId} ${run} ${job} ${number}`)
  const back = Math.max(0, Math.min(attempt - 1, LOOKED_BACK))
  const earlier = Array.from({ length: back }, (_, index) => idOf(attempt - 1 - index))
  return { id: idOf(attempt), earlier }
}

function claimedId(claim: string): string {
  return createHash('sha256').update(claim).digest('hex').slice(0, 8)
}
