import * as core from '@actions/core'

/** What main leaves for post. The runner keeps it even when main is killed, so each part is left at once. */
interface Recalled {
  /** The job's state directory. */
  readonly directory: string
  /** The state could not be kept as it should, and main said so. */
  readonly isTroubled: boolean
  /** Main came to its end: it was not killed. */
  readonly hasEnded: boolean
}

const DIRECTORY = 'directory'
const TROUBLED = 'troubled'
const ENDED = 'ended'
const MAIN_RAN = 'main-ran'

/** The bundle is both main and post; from here on it is post. */
export function noteMain(): void {
  core.saveState(MAIN_RAN, 'true')
}

/** Whether main ran before: the runner starts post with what it noted. */
export function isPost(): boolean {
  return core.getState(MAIN_RAN) !== ''
}

/** Where post finds the state of this step. */
export function noteState(directory: string): void {
  core.saveState(DIRECTORY, directory)
}

/** That the user was told of trouble with the cache: post need not. */
export function noteTrouble(): void {
  core.saveState(TROUBLED, 'true')
}

export function noteEnd(): void {
  core.saveState(ENDED, 'true')
}

/** `undefined` when main kept no state. */
export function recallState(): Recalled | undefined {
  const directory = core.getState(DIRECTORY)
  if (directory === '') return undefined
  return {
    directory,
    isTroubled: core.getState(TROUBLED) !== '',
    hasEnded: core.getState(ENDED) !== ''
  }
}
