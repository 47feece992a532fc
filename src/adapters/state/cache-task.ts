/** What a cache process is told to do, in the working directory that it was started in. */
export type CacheOperation =
  | { readonly operation: 'save'; readonly key: string }
  | { readonly operation: 'restore'; readonly key: string; readonly prefixes: readonly string[] }

/** `done`: saved, or restored; `nothing`: no entry was found; `unavailable`: there is no cache service for this run. */
export type CacheAnswer = 'done' | 'nothing' | 'unavailable'

/** The environment variable that makes the bundle a cache process. */
export const OPERATION_VARIABLE = 'RESUMABLE_SFTP_UPLOAD_CACHE'
