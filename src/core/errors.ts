/**
 * Everything that can go wrong, as a closed set.
 *
 * | code | when |
 * |---|---|
 * | `invalid-input` | a setting is missing or not what it must be |
 * | `no-files` | the paths match nothing |
 * | `host-key` | the server's key is not the one that was pinned, or none was pinned |
 * | `private-key` | the private key cannot be read |
 * | `login` | the server refuses the user |
 * | `unknown-host` | the host's name is not known |
 * | `unreachable` | nothing answers at the host's address and port |
 * | `connection-lost` | an established connection ended, or one was refused because of load |
 * | `stalled` | the server fell silent: for longer than the stall time-out, or until keepalives or the system gave it up |
 * | `protocol` | the server does not speak SFTP as it should |
 * | `not-found` | no such file or directory on the server |
 * | `permission` | the server does not permit the operation |
 * | `wrong-type` | a directory is where a file must be, or a file where a directory must be |
 * | `no-space` | the disk or quota of the server is full |
 * | `unsupported` | the server does not know the operation |
 * | `server-failure` | the server refuses without a reason of its own |
 * | `source-changed` | the local file changed, shrank or vanished while it was being sent |
 * | `source-unreadable` | the local file cannot be read |
 * | `not-verified` | what the server holds is not what was sent |
 * | `withheld` | the file is whole, and waits for another one that is not |
 * | `cancelled` | the run was told to stop |
 */
export type ErrorCode =
  | 'invalid-input'
  | 'no-files'
  | 'host-key'
  | 'private-key'
  | 'login'
  | 'unknown-host'
  | 'unreachable'
  | 'connection-lost'
  | 'stalled'
  | 'protocol'
  | 'not-found'
  | 'permission'
  | 'wrong-type'
  | 'no-space'
  | 'unsupported'
  | 'server-failure'
  | 'source-changed'
  | 'source-unreadable'
  | 'not-verified'
  | 'withheld'
  | 'cancelled'

/**
 * The only error that this project throws on purpose. The first line of the message says what was being done, to what,
 * what was expected and what was found; what it means and what to do may follow.
 */
export class UploadError extends Error {
  override readonly name = 'UploadError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions
  ) {
    super(message, options)
  }
}

const TRANSIENT: ReadonlySet<ErrorCode> = new Set(['connection-lost', 'stalled', 'unreachable'])

/** Another attempt over a new connection may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof UploadError && TRANSIENT.has(error.code)
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'not-found',
  'permission',
  'protocol',
  'server-failure',
  'unsupported'
])

/** The server answered and does not do what it was asked for; another way may be open. */
export function isRefusal(error: unknown): error is UploadError {
  return error instanceof UploadError && REFUSALS.has(error.code)
}

/** The server has nothing of that name. */
export function isNotFound(error: unknown): boolean {
  return error instanceof UploadError && error.code === 'not-found'
}

/** What was seen, without what it means and what to do, which may follow. */
export function firstLine({ message }: UploadError): string {
  return message.split('\n', 1)[0] ?? ''
}

/** What was thrown, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The code of what was thrown, if it has one: of the system (`ENOENT`), Node, or a library. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Wraps what is not an UploadError already; the text of the original stays readable. */
export function toUploadError(error: unknown, code: ErrorCode, doing: string): UploadError {
  if (error instanceof UploadError) return error
  return new UploadError(code, `${doing}: ${reasonOf(error)}`, { cause: error })
}
