import type { ByteRange } from '../core/blocks.js'
import { UploadError } from '../core/errors.js'
import type { RemoteStat } from '../core/resume.js'
import { drain } from './drain.js'
import type { Lane } from './lane.js'
import type { RemoteFile } from './ports.js'

/** The unfinished file on the server, open for writing through one handle of each lane that takes its blocks. */
export class PartFile {
  /**
   * What is to be read back in the end: acknowledged before openings whose answers were lost, which may have emptied the
   * file, or may still do so.
   */
  readonly doubtful: ByteRange[] = []
  private readonly handles = new Map<Lane, RemoteFile>()

  constructor(
    readonly path: string,
    readonly home: Lane,
    handle: RemoteFile,
    /** Whether the server lets it be read: the harm that a second writer does could not be seen otherwise. */
    readonly canBeRead: Promise<boolean>
  ) {
    this.handles.set(home, handle)
  }

  handleOf(lane: Lane): RemoteFile | undefined {
    return this.handles.get(lane)
  }

  /** `handle` was opened by the lane, which writes through it from now on. */
  join(lane: Lane, handle: RemoteFile): void {
    this.handles.set(lane, handle)
  }

  /** The lane writes no more into it. */
  leave(lane: Lane): void {
    this.handles
      .get(lane)
      ?.close()
      .catch(() => undefined)
    this.handles.delete(lane)
  }

  /** Bytes that all its lanes together may have in flight. */
  get window(): number {
    return [...this.handles.keys()].reduce((sum, { remote }) => sum + remote.window, 0)
  }

  /** Why nobody can write into it any more; `undefined` while a lane with a handle lives. */
  get lost(): UploadError | undefined {
    for (const lane of this.handles.keys()) if (lane.ended === undefined) return undefined
    return this.home.ended
  }

  /**
   * Closes the handles of all living lanes; with `sync`, after the server has put the file on its disk, where it offers
   * to. Returns what the server says of the file, as far as it can be asked for without waiting.
   *
   * @throws UploadError what the first refused close said; the others are closed all the same.
   */
  async close({ sync }: { sync: boolean }): Promise<RemoteStat | undefined> {
    const living = [...this.handles].filter(([lane]) => lane.ended === undefined)
    this.handles.clear()
    const [stat] = await drain(
      living.map(async ([, handle], at) => {
        // One sync covers what all handles wrote: everything was acknowledged before.
        const synced = sync && at === 0 ? handle.sync() : Promise.resolve()
        const [closing] = await drain([handle.stat().catch(() => undefined), synced, handle.close()])
        return closing
      })
    )
    return stat
  }
}
