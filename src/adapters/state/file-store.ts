import { reasonOf } from '../../core/errors.js'
import type { StateStore } from '../../engine/ports.js'
import { enter, type Presence } from './only-one.js'
import { readMeta, writeMeta } from './state-directory.js'

export interface FileStoreSettings {
  /** Holds `.upload.meta`. */
  readonly directory: string
  /** A name of this machine that is fit for a file name. */
  readonly machine: string
  readonly onTrouble: (text: string) => void
}

const NOT_KEPT = 'a re-run may have to send everything again'

/** Keeps `.upload.meta` in a directory that outlives the run. */
export class FileStore implements StateStore {
  private troubled = false

  private constructor(
    private readonly settings: FileStoreSettings,
    private readonly presence: Presence | undefined
  ) {}

  static async open(settings: FileStoreSettings): Promise<FileStore> {
    try {
      const presence = await enter(settings.directory, settings.machine)
      const store = new FileStore(settings, presence)
      if (presence.other !== undefined) {
        store.tell(`Process ${presence.other} is uploading the same: the state of this upload is not kept.`)
      }
      return store
    } catch (error) {
      const store = new FileStore(settings, undefined)
      store.tell(`The state cannot be kept (${reasonOf(error)}): ${NOT_KEPT}.`)
      return store
    }
  }

  /** Whether no other process of this machine is at work on the same state: then the one that wrote it is gone. */
  get isAlone(): boolean {
    return this.presence !== undefined && this.presence.other === undefined
  }

  /** Whether a re-run will find what was saved last. */
  get isKept(): boolean {
    return this.isAlone && !this.troubled
  }

  async load(): Promise<readonly string[]> {
    const sealed = await readMeta(this.settings.directory)
    return sealed === undefined ? [] : [sealed]
  }

  async save(sealed: string): Promise<void> {
    if (!this.isAlone) return
    try {
      await writeMeta(this.settings.directory, sealed)
    } catch (error) {
      this.tell(`The state cannot be written (${reasonOf(error)}): ${NOT_KEPT}.`)
    }
  }

  async close(): Promise<void> {
    await this.presence?.leave()
  }

  private tell(text: string): void {
    if (!this.troubled) this.settings.onTrouble(text)
    this.troubled = true
  }
}
