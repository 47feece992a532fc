import { read } from 'read'
import { UploadError } from '../core/errors.js'
import type { Ask } from './credentials.js'

/** Asks on the terminal, if there is one for the question and one for the answer. */
export function askOn(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Ask | undefined {
  if (!input.isTTY || !output.isTTY) return undefined
  return async question => {
    try {
      return await read({ prompt: question, silent: true, input, output })
    } catch {
      throw new UploadError('cancelled', 'the run was told to stop (Ctrl-C)')
    } finally {
      output.write('\n')
    }
  }
}
