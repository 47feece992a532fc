import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { UploadError } from '../core/errors.js'
import { readSettings } from '../run/inputs.js'
import type { Log } from '../run/log.js'
import type { Settings } from '../run/settings.js'
import { askOn } from './ask.js'
import type { CommandLine } from './command-line.js'
import { readCredentials } from './credentials.js'
import { readKnownHosts } from './known-hosts-file.js'
import { selectionOf } from './local-paths.js'
import { evidenceOf } from './verify-flag.js'

/**
 * Turns what was asked for into the inputs of the action, and reads those; a secret that is missing is asked for.
 *
 * @throws UploadError `invalid-input`; `cancelled` at the question.
 */
export async function settingsOf(asked: CommandLine, log: Log): Promise<Settings> {
  const tell = (text: string) => log.emit({ type: 'notice', text })
  const warn = (text: string) => log.emit({ type: 'warning', text })
  if (asked.isPasswordVisible) {
    warn('--password is seen by every user of this machine; set the variable SFTP_PASSWORD instead.')
  }
  const disk = { workingDirectory: process.cwd(), look }
  const { lines, remotePath, namesOneFile } = selectionOf(asked.paths, disk)
  if (namesOneFile && asked.inputs.get('delete') === 'true') {
    throw new UploadError(
      'invalid-input',
      `--delete: must go with a REMOTE that is a directory, with / at the end for one file; found ${JSON.stringify(asked.paths.at(-1))}`
    )
  }
  const { verify, notice } = evidenceOf(asked.inputs.get('verify') ?? '', asked.tailSize)
  if (notice !== undefined) warn(notice)
  const knownHosts = await readKnownHosts(asked.knownHostsFile, homedir())
  for (const text of knownHosts.notices) tell(text)
  const inputs = new Map([
    ...asked.inputs,
    ['verify', verify],
    ['paths', lines.join('\n')],
    ['remote-path', remotePath],
    ['known-hosts', knownHosts.text],
    ['state', asked.state],
    ['ssh-agent', 'off']
  ])
  const settings = readSettings(name => inputs.get(name) ?? '', {
    stores: ['file', 'none'],
    givesLogin: false,
    environment: {}
  })
  const credentials = await readCredentials(asked, process.env, askOn(process.stdin, process.stderr))
  const { server } = settings
  // The same login at both: the command line has no other one for the jump host.
  const jump = server.jump === undefined ? undefined : { ...server.jump, ...credentials }
  return { ...settings, server: { ...server, ...credentials, jump } }
}

function look(path: string): 'file' | 'other' | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? undefined : found.isFile() ? 'file' : 'other'
}
