import { UploadError } from '../core/errors.js'
import { partPath, targetOfPart } from '../core/identity.js'
import { directoryOf } from '../core/plan.js'
import { backupPath } from './publish.js'
import type { Clock, Remote, RemoteEntry } from './ports.js'

const STALE_AFTER_MS = 7 * 24 * 60 * 60 * 1000
const LONGEST_SWEEP_MS = 30_000

/** Removes part files that uploads of the same target left behind more than 7 days ago; lists a directory only once. */
export class StaleParts {
  private readonly listings = new Map<string, Promise<ReadonlyMap<string, RemoteEntry[]>>>()
  private readonly sweeps = new Set<Promise<void>>()

  /** @param planned files of the upload that only have such names. */
  constructor(
    private readonly clock: Clock,
    private readonly planned: ReadonlySet<string> = new Set()
  ) {}

  /** Lists the target's directory in the background, unless that was done. */
  look(remote: Remote, target: string): void {
    const directory = directoryOf(target)
    if (this.listings.has(directory)) return
    // What goes wrong here matters to nobody.
    this.listings.set(
      directory,
      this.list(remote, directory).catch(() => new Map())
    )
  }

  /** Sweeps in the background after a file was published; what its own upload gave up goes at once. */
  sweep(remote: Remote, target: string, abandoned: Iterable<string> = []): void {
    this.look(remote, target)
    const directory = directoryOf(target)
    const at = target.lastIndexOf('/') + 1
    const remove = (path: string) => remote.remove(path).catch(() => undefined)
    const sweep = async () => {
      const stale = (await this.listings.get(directory))?.get(target.slice(at)) ?? []
      const paths = stale.map(entry => target.slice(0, at) + entry.name)
      await Promise.all(paths.filter(path => !this.planned.has(path)).map(remove))
    }
    this.begin(sweep())
    for (const id of abandoned) {
      const part = partPath(target, id)
      for (const path of [part, backupPath(part)]) this.begin(remove(path))
    }
  }

  /** Resolves when every sweep has ended, or after half a minute: a directory may take long to list, or have no end. */
  async done(): Promise<void> {
    const ended = new AbortController()
    const late = this.clock.sleep(LONGEST_SWEEP_MS, ended.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.sweeps), late])
    ended.abort(new UploadError('cancelled', 'every sweep has ended'))
  }

  private begin(sweep: Promise<void>): void {
    this.sweeps.add(sweep)
    void sweep.finally(() => this.sweeps.delete(sweep))
  }

  private async list(remote: Remote, directory: string): Promise<ReadonlyMap<string, RemoteEntry[]>> {
    const byTarget = new Map<string, RemoteEntry[]>()
    for (const entry of await remote.list(directory)) {
      const target = targetOfPart(entry.name)
      if (target === undefined || entry.mtime === undefined) continue
      if (this.clock.now() - entry.mtime * 1000 < STALE_AFTER_MS) continue
      byTarget.set(target, [...(byTarget.get(target) ?? []), entry])
    }
    return byTarget
  }
}
