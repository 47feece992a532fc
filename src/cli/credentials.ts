import { readFile } from 'node:fs/promises'
import { codeOf, UploadError } from '../core/errors.js'
import { isEncryptedKey } from '../adapters/sftp/private-key.js'
import type { Settings } from '../run/settings.js'
import type { CommandLine } from './command-line.js'

type Credentials = Pick<Settings['server'], 'key' | 'passphrase' | 'password' | 'agent'>

/** Asks a question on the terminal, and does not show the answer. */
export type Ask = (question: string) => Promise<string>

/**
 * The key and the password that were given; without either the agent; without that the password is asked for.
 *
 * @throws UploadError `invalid-input` when there is nothing, and no terminal to ask on.
 */
export async function readCredentials(
  { keyFile, password, useAgent, inputs }: CommandLine,
  environment: NodeJS.ProcessEnv,
  ask: Ask | undefined
): Promise<Credentials> {
  const none = { key: undefined, passphrase: undefined, password: undefined, agent: undefined }
  if (keyFile !== undefined) {
    const key = await readKey(keyFile)
    const passphrase = await passphraseOf(key, keyFile, environment, ask)
    return { ...none, key, passphrase, password: givenIn(password) }
  }
  if (givenIn(password) !== undefined) return { ...none, password: givenIn(password) }
  const agent = givenIn(environment.SSH_AUTH_SOCK)
  if (useAgent && agent !== undefined) return { ...none, agent }
  if (ask === undefined) {
    throw new UploadError(
      'invalid-input',
      'a login must be given: --key FILE, the variable SFTP_PASSWORD, or an ssh agent (SSH_AUTH_SOCK); found none'
    )
  }
  return { ...none, password: await ask(`Password of ${inputs.get('username') ?? ''}:`) }
}

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    // The file name may be the text of a key that was put in its place: it is not repeated.
    const found = codeOf(error) ?? 'no file'
    throw new UploadError(
      'invalid-input',
      `key: must be the path of a private key that can be read; found ${found}`
    )
  }
}

async function passphraseOf(
  key: string,
  file: string,
  environment: NodeJS.ProcessEnv,
  ask: Ask | undefined
): Promise<string | undefined> {
  const given = givenIn(environment.SFTP_PASSPHRASE)
  if (given !== undefined || ask === undefined || !isEncryptedKey(key)) return given
  return ask(`Passphrase of ${file}:`)
}

/** Kept as it is, but for the line break that a secret from a file ends with; nothing is none. */
function givenIn(text: string | undefined): string | undefined {
  const value = text?.replace(/[\r\n]+$/, '')
  return value === '' ? undefined : value
}
