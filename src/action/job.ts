import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the runner says of the job that this step is part of. */
export interface Job {
  readonly workspace: string
  /** Emptied by the runner before and after each job. */
  readonly temp: string
  readonly run: string
  /** Its id in the workflow; the jobs of a matrix have one. */
  readonly id: string
  readonly attempt: number
  readonly runner: string
}

/** Reads the runner's variables; elsewhere, as when trying out, it makes do without them. */
export function readJob(environment: NodeJS.ProcessEnv): Job {
  return {
    workspace: environment.GITHUB_WORKSPACE ?? process.cwd(),
    temp: environment.RUNNER_TEMP ?? join(tmpdir(), 'runner-temp'),
    run: environment.GITHUB_RUN_ID ?? '0',
    id: environment.GITHUB_JOB ?? '',
    attempt: Number(environment.GITHUB_RUN_ATTEMPT ?? '1'),
    runner: environment.RUNNER_NAME ?? ''
  }
}
