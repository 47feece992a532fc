import { basename } from 'node:path'
import * as core from '@actions/core'
import { reasonOf } from '../core/errors.js'

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

/** The bundle is both main and post. What main notes would not tell: on a full disk there is nothing of it. */
export function isPost(): boolean {
  return basename(process.argv[1] ?? '') === 'post.js'
}

/** Where post finds the state of this step. */
export function noteState(directory: string): void {
  note(DIRECTORY, directory)
}

/** That the user was told of trouble with the cache: post need not. */
export function noteTrouble(): void {
  note(TROUBLED, 'true')
}

export function noteEnd(): void {
  note(ENDED, 'true')
}

/** What cannot be noted ends no upload: post then does once more what was done, or does not know of it. */
function note(name: string, value: string): void {
  try {
    core.saveState(name, value)
  } catch (error) {
    core.debug(`${name} cannot be noted for the end of the job: ${reasonOf(error)}`)
  }
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
