import * as core from '@actions/core'
import type { StatePlace } from './step-state.js'

/** What main leaves for post. The runner keeps it even when main is killed, so each part is left at once. */
interface Recalled {
  readonly place: StatePlace
  /** The cache gave trouble, and main said so. */
  readonly isTroubled: boolean
}

const PLACE = 'place'
const TROUBLED = 'cache-troubled'
const MAIN_RAN = 'main-ran'

/** The bundle is both main and post; from here on it is post. */
export function noteMain(): void {
  core.saveState(MAIN_RAN, 'true')
}

export function isPost(): boolean {
  return core.getState(MAIN_RAN) !== ''
}

export function noteState(place: StatePlace): void {
  core.saveState(PLACE, place)
}

export function noteTrouble(): void {
  core.saveState(TROUBLED, 'true')
}

/** `undefined` when main kept no state. */
export function recallState(): Recalled | undefined {
  const place = core.getState(PLACE)
  if (place === '') return undefined
  // Written by noteState in this same step.
  return { place: JSON.parse(place) as StatePlace, isTroubled: core.getState(TROUBLED) !== '' }
}
