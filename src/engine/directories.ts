import { isNotFound, isTransient, UploadError } from '../core/errors.js'
import { parentOf } from '../core/plan.js'
import type { Remote } from './ports.js'
import { type AttributesRun, completeMode } from './try-setting.js'

/** Makes each directory of the server once, parents first, those that do not depend on each other at the same time. */
export class Directories {
  private readonly known = new Map<string, Promise<void>>()

  constructor(
    private readonly mode: number | undefined,
    private readonly run: AttributesRun
  ) {}

  /** Makes the directory and those above it where they are missing. @throws UploadError when one cannot be made. */
  async ensure(remote: Remote, directory: string | undefined): Promise<void> {
    if (directory === undefined) return
    const known = this.known.get(directory)
    if (known === undefined) {
      const ensuring = this.makeIfMissing(remote, directory)
      this.known.set(directory, ensuring)
      ensuring.catch(() => this.known.delete(directory))
      return ensuring
    }
    try {
      await known
    } catch (error) {
      // The session of whoever asked first has ended; that says nothing of this one.
      if (!isTransient(error)) throw error
      await this.ensure(remote, directory)
    }
  }

  /**
   * Creates a file in the directory: at once, and where it turns out to be missing, again when it is made.
   *
   * @throws UploadError what `create` says, or why the directory cannot be made.
   */
  async within<T>(remote: Remote, directory: string | undefined, create: () => Promise<T>): Promise<T> {
    if (directory === undefined) return create()
    const known = this.known.get(directory)
    if (known !== undefined) {
      await this.ensure(remote, directory)
      try {
        return await create()
      } catch (error) {
        // Over an object store, a directory without files is gone when the server starts again.
        if (!isNotFound(error)) throw error
        if (this.known.get(directory) === known) this.forget(directory)
        await this.ensure(remote, directory)
        return create()
      }
    }
    const [made, early] = await Promise.allSettled([this.ensure(remote, directory), create()])
    if (early.status === 'fulfilled') return early.value
    if (made.status === 'rejected') throw made.reason
    if (isTransient(early.reason)) throw early.reason
    return create()
  }

  private forget(directory: string): void {
    for (let path: string | undefined = directory; path !== undefined; path = parentOf(path))
      this.known.delete(path)
  }

  private async makeIfMissing(remote: Remote, directory: string): Promise<void> {
    // Made without waiting for whether it is there: the parent mostly is, and a server refuses what it has.
    const make = () => this.make(remote, directory)
    const [found, made] = await Promise.allSettled([isDirectory(remote, directory), make()])
    if (found.status === 'rejected') throw found.reason
    if (found.value || made.status === 'fulfilled') return
    if (isTransient(made.reason)) throw made.reason
    await this.ensure(remote, parentOf(directory))
    try {
      await make()
    } catch (error) {
      // Another run may have made it in between; SFTP version 3 has no status code for that.
      if (isTransient(error) || !(await isDirectory(remote, directory))) throw error
    }
  }

  private async make(remote: Remote, directory: string): Promise<void> {
    const { mode, run } = this
    await remote.makeDirectory(directory, mode)
    if (mode !== undefined) await completeMode(remote, directory, mode, run)
  }
}

async function isDirectory(remote: Remote, path: string): Promise<boolean> {
  const stat = await remote.stat(path)
  if (stat?.isDirectory === false) {
    throw new UploadError('wrong-type', `make the directory ${path}: a file of that name is in its place`)
  }
  return stat !== undefined
}
