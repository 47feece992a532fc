import { targetOfPart } from '../core/identity.js'
import { parentOf } from '../core/plan.js'
import type { Clock, Remote, RemoteEntry } from './ports.js'

const STALE_AFTER_MS = 7 * 24 * 60 * 60 * 1000

/** Removes part files that uploads of the same target left behind more than 7 days ago; lists a directory only once. */
export class StaleParts {
  private readonly listings = new Map<string, Promise<ReadonlyMap<string, RemoteEntry[]>>>()
  private readonly sweeps: Promise<void>[] = []

  constructor(private readonly clock: Clock) {}

  /** Sweeps in the background after a file was published. What goes wrong here matters to nobody. */
  sweep(remote: Remote, target: string): void {
    const directory = parentOf(target) ?? (target.startsWith('/') ? '/' : '.')
    const listing = this.listings.get(directory) ?? this.list(remote, directory)
    this.listings.set(directory, listing)
    this.sweeps.push(
      listing
        .then(async stale => {
          const name = target.slice(target.lastIndexOf('/') + 1)
          await Promise.all((stale.get(name) ?? []).map(entry => remote.remove(`${directory}/${entry.name}`)))
        })
        .catch(() => undefined)
    )
  }

  /** Resolves when every sweep has ended. */
  async done(): Promise<void> {
    await Promise.all(this.sweeps)
  }

  private async list(remote: Remote, directory: string): Promise<ReadonlyMap<string, RemoteEntry[]>> {
    const byTarget = new Map<string, RemoteEntry[]>()
    for (const entry of await remote.list(directory)) {
      const target = targetOfPart(entry.name)
      if (target === undefined || this.clock.now() - entry.mtime * 1000 < STALE_AFTER_MS) continue
      byTarget.set(target, [...(byTarget.get(target) ?? []), entry])
    }
    return byTarget
  }
}
