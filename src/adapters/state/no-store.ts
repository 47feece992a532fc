import type { StateStore } from '../../engine/ports.js'

/** Keeps nothing: every run starts from zero. */
export const noStore: StateStore = {
  load: () => Promise.resolve([]),
  save: () => Promise.resolve()
}
