import { UploadError, type ErrorCode } from '../../core/errors.js'

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
  const status = 'code' in error && typeof error.code === 'number' ? error.code : undefined
  if (status === undefined)
    return new UploadError('connection-lost', `${doing}: ${error.message}`, { cause: error })
  const code = NO_SPACE.test(error.message) ? 'no-space' : (CODES[status] ?? 'server-failure')
  return new UploadError(code, `${doing}: ${error.message} (SFTP status ${status})`, { cause: error })
}

/** Whether a refusal says that the end of the file was reached. */
export function isEndOfFile(error: Error): boolean {
  return 'code' in error && error.code === 1
}
