export interface CacheEntry {
  readonly id: number
  readonly key: string
  readonly version: string
  /** The archive as the client made it; a test may replace it, the download then serves the new bytes. */
  bytes: Buffer
}

/** All optional, all changeable at any time. */
export interface CacheFaults {
  /** Accept each request and never answer. */
  silent?: boolean | undefined
  /** Answer each call with this HTTP status and a twirp error (401, 403, 409, 429, 500, 503). */
  status?: number | undefined
  /** Only the first so many requests are affected; counted down. */
  times?: number | undefined
  /** Answer each call with a web page, as a proxy in between does; with `status`, or 200. */
  html?: boolean | undefined
  /** Answer each blob request, up and down, with this HTTP status. */
  blobStatus?: number | undefined
  /** Only these requests are affected (names as in `requests`); all by default. */
  methods?: readonly string[] | undefined
}

export interface CacheRequest {
  /** `CreateCacheEntry`, `FinalizeCacheEntryUpload`, `GetCacheEntryDownloadURL`, `PUT blob` or `GET blob`; `v1 …` for the older service. */
  readonly method: string
  /** The key that a call asked for, once its body was read. */
  readonly key?: string
}

export interface CacheService {
  /** For ACTIONS_RESULTS_URL; ends in a slash. */
  readonly url: string
  /** Finished entries, oldest first. */
  readonly entries: CacheEntry[]
  readonly requests: CacheRequest[]
  readonly faults: CacheFaults
  /** Ends silent connections too. */
  close(): Promise<void>
}

/** Starts a stand-in for the Actions cache service, v2 and in short v1, on a free port of 127.0.0.1. */
export function startCacheService(): Promise<CacheService>
