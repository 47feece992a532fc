export interface Link {
  /** On 127.0.0.1. */
  readonly port: number
  /** Limit from client to server, over all connections; undefined = full speed. */
  bytesPerSecond: number | undefined
  /** Added in each direction, so a round trip takes twice as long. */
  delayMs: number
  /** New connections are reset. */
  refuse: boolean
  /** Bytes handed on from client to server so far, over all connections. */
  readonly sent: number
  /** Connections accepted so far, refused ones included. */
  readonly connections: number
  /** Resets every connection, on both sides. */
  cut(): void
  /** Resets every connection as soon as exactly `bytes` more have gone to the server; resolves at that moment. */
  cutAfter(bytes: number): Promise<void>
  /** A dark network: nothing moves, no end is told; new connections are accepted and stay silent. */
  pause(): void
  /** What was held moves on. */
  resume(): void
  /** Resolves when `sent` is at least `bytes`. */
  waitFor(bytes: number): Promise<void>
  close(): Promise<void>
}

/** Starts a TCP proxy in front of `host:port` (127.0.0.1 by default). */
export function startLink(target: { port: number; host?: string }): Promise<Link>
