import { isRefusal, UploadError } from '../../core/errors.js'

/** What Linux, macOS and Windows let a name and a path have (NAME_MAX, PATH_MAX), in bytes. */
const LONGEST_NAME = 255
const LONGEST_PATH = 4095

/**
 * Throws a refusal once more, as what it is where the name or path is too long: servers have no status for that, they say
 * "Bad message", "Failure" or "Permission denied".
 */
export function explainLongName(path: string): (error: unknown) => never {
  return error => {
    throw explained(error, path)
  }
}

function explained(error: unknown, path: string): unknown {
  if (!isRefusal(error)) return error
  const name = path.slice(path.lastIndexOf('/') + 1)
  const [what, length, most] =
    Buffer.byteLength(name) > LONGEST_NAME
      ? ['name', Buffer.byteLength(name), LONGEST_NAME]
      : ['path', Buffer.byteLength(path), LONGEST_PATH]
  if (length <= most) return error
  const text = `${error.message}; the ${what} has ${length} bytes, and most servers take ${most}`
  return new UploadError('invalid-input', `${text}\nGive the file a shorter one with local => remote.`, {
    cause: error
  })
}
