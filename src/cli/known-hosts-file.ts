import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf, UploadError } from '../core/errors.js'
import { parseKnownHosts } from '../adapters/sftp/known-hosts.js'

/** The text of a known_hosts file, without lines that are damaged if it is the user's own, and a word on each of those. */
export interface KnownHostsText {
  readonly text: string
  readonly notices: readonly string[]
}

/**
 * Reads the file that was named, else `~/.ssh/known_hosts`, where OpenSSH passes over what it cannot read.
 *
 * @throws UploadError `invalid-input` when the file cannot be read; the user's own need not be there.
 */
export async function readKnownHosts(file: string | undefined, home: string): Promise<KnownHostsText> {
  if (file !== undefined) return { text: await read(file), notices: [] }
  const own = join(home, '.ssh', 'known_hosts')
  const text = await readFile(own, 'utf8').catch(() => '')
  const notices: string[] = []
  const lines = text.split(/\r\n|\n|\r/).map((line, index) => {
    if (isReadable(line)) return line
    notices.push(`${own} line ${index + 1} is damaged and passed over.`)
    return ''
  })
  return { text: lines.join('\n'), notices }
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const reason = reasonOf(error)
    throw new UploadError('invalid-input', `known-hosts: must be a file that can be read; found ${reason}`)
  }
}

function isReadable(line: string): boolean {
  try {
    parseKnownHosts(line, 'known-hosts')
    return true
  } catch {
    return false
  }
}
