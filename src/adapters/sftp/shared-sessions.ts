import type { Connect, Remote } from '../../engine/ports.js'

/** The sessions of the upload, for what goes over one of them now and then. */
export class SharedSessions {
  private readonly opening = new Set<Promise<Remote>>()
  private readonly living = new Set<Remote>()

  constructor(private readonly open: Connect) {}

  /** For the upload, which closes what it opens. */
  readonly connect: Connect = async (signal, turn) => {
    const opening = this.open(signal, turn)
    this.opening.add(opening)
    try {
      const remote = await opening
      this.living.add(remote)
      void remote.ended.then(() => this.living.delete(remote))
      return remote
    } finally {
      this.opening.delete(opening)
    }
  }

  /**
   * Works over the oldest session of the upload, or the one that it is opening. Without one, over a session of its own,
   * which is closed afterwards or when the signal is aborted.
   *
   * @throws UploadError as `Connect` does, and what the work throws.
   */
  async use<T>(work: (remote: Remote) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    const [living] = this.living
    const [opening] = this.opening
    const lent = living ?? (await opening)
    if (lent !== undefined) return work(lent)
    const own = await this.open(signal)
    const close = () => own.close()
    signal.addEventListener('abort', close)
    try {
      return await work(own)
    } finally {
      signal.removeEventListener('abort', close)
      close()
    }
  }
}
