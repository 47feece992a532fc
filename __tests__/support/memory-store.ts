import { openSealed, type StateKeys } from '../../src/core/seal.js'
import { parseUploadMeta, type UploadMeta } from '../../src/core/upload-meta.js'
import type { StateStore } from '../../src/engine/ports.js'

/** Keeps every saved text; a lost checkpoint is an older one put back. */
export class MemoryStore implements StateStore {
  /** All that was saved, oldest first. */
  readonly saves: string[] = []
  /** What the next run finds. */
  text: string | undefined
  /** What the next run finds besides. */
  elsewhere: string[] = []
  /** Why loading fails, each time anew; `undefined`: it does not. */
  loadFails: () => Error | undefined = () => undefined
  onSave: (sealed: string) => void = () => undefined
  /** A save takes as long as this, or until the signal. */
  pause: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve()
  private saving = 0
  mostSaving = 0

  load(): Promise<readonly string[]> {
    const failure = this.loadFails()
    if (failure !== undefined) return Promise.reject(failure)
    return Promise.resolve([...(this.text === undefined ? [] : [this.text]), ...this.elsewhere])
  }

  async save(sealed: string, signal?: AbortSignal): Promise<void> {
    this.onSave(sealed)
    this.mostSaving = Math.max(this.mostSaving, ++this.saving)
    await this.pause(signal)
    this.saving--
    this.saves.push(sealed)
    this.text = sealed
  }

  /** The next run finds the checkpoint that was saved so many saves before the last. */
  lose(checkpoints: number): void {
    this.text = this.saves.at(-1 - checkpoints)
  }

  /** What the last save holds. */
  meta(keys: StateKeys): UploadMeta {
    if (this.text === undefined) throw new Error('nothing was saved')
    return parseUploadMeta(openSealed(keys, this.text))
  }
}
