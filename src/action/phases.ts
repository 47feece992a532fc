import { basename } from 'node:path'
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

/** The bundle is both main and post. What main notes would not tell: on a full disk there is nothing of it. */
export function isPost(): boolean {
  return basename(process.argv[1] ?? '') === 'post.js'
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
