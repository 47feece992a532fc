import type { UploadError } from '../core/errors.js'
import type { Remote, RemoteFile } from './ports.js'

/** A chunk that was handed to the session. */
export interface SentChunk {
  /** Settles with the server's answer. It may be left alone: a refusal nobody waits for is not an unhandled one. */
  readonly acknowledged: Promise<void>
}

/** A session taking chunks, with never more than its window of bytes in flight. */
export class Lane {
  /** Files whose steps run over this lane at the moment. */
  files = 0
  private endedWith: UploadError | undefined
  private inFlight = 0
  private readonly waiting: { readonly bytes: number; readonly admit: () => void }[] = []

  constructor(readonly remote: Remote) {
    void remote.ended.then(error => {
      this.endedWith = error
    })
  }

  /** Why the session is over; `undefined` while it lives. */
  get ended(): UploadError | undefined {
    return this.endedWith
  }

  /** Resolves when the chunk was handed over, as soon as the window has room: first come, first served. */
  async send(file: RemoteFile, bytes: Uint8Array, offset: number): Promise<SentChunk> {
    await new Promise<void>(admit => {
      this.waiting.push({ bytes: bytes.length, admit })
      this.admitNext()
    })
    const acknowledged = file.write(bytes, offset).finally(() => {
      this.inFlight -= bytes.length
      this.admitNext()
    })
    acknowledged.catch(() => undefined)
    return { acknowledged }
  }

  private admitNext(): void {
    for (;;) {
      const next = this.waiting[0]
      if (next === undefined || (this.inFlight > 0 && this.inFlight + next.bytes > this.remote.window)) return
      this.waiting.shift()
      this.inFlight += next.bytes
      next.admit()
    }
  }
}
