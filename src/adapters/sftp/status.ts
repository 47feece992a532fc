import { UploadError, type ErrorCode } from '../../core/errors.js'
import { serverText } from './server-text.js'

/** SFTP version 3 status codes (draft-ietf-secsh-filexfer-02, section 7); ssh2 puts them into `error.code`. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  2: 'not-found',
  3: 'permission',
  4: 'server-failure',
  5: 'protocol',
  6: 'connection-lost',
  7: 'connection-lost',
  8: 'unsupported'
}

/** Servers that say more than "Failure" about a full disk or quota do so in the text. */
const NO_SPACE = /no space|disk full|out of disk|quota/i

/** Turns what ssh2 reports of a request into an UploadError: "doing: what the server said". */
export function refusal(error: Error, doing: string): UploadError {
  const status = statusOf(error)
  const text = serverText(error.message)
  if (status === undefined) return new UploadError('connection-lost', `${doing}: ${text}`, { cause: error })
  const code = NO_SPACE.test(text) ? 'no-space' : (CODES[status] ?? 'server-failure')
  return new UploadError(code, `${doing}: ${text} (SFTP status ${status})`, { cause: error })
}

/** The SFTP status of a refusal; `undefined` for an error that ssh2 made up itself. */
export function statusOf(error: Error): number | undefined {
  return 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

/** Whether a refusal says that the end of the file was reached. */
export function isEndOfFile(error: Error): boolean {
  return statusOf(error) === 1
}
