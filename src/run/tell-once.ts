import type { UploadError } from '../core/errors.js'

/** Gives each error back the first time only: a cause that many files share is told once. */
export function tellOnce(): (error: UploadError | undefined) => UploadError | undefined {
  const told = new Set<UploadError>()
  return error => {
    if (error === undefined || told.has(error)) return undefined
    told.add(error)
    return error
  }
}
