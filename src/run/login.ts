import { createHostKeyPolicy } from '../adapters/sftp/host-keys.js'
import type { ServerSettings as Connection } from '../adapters/sftp/connect.js'
import { readPrivateKey } from '../adapters/sftp/private-key.js'
import type { Settings } from './settings.js'

export interface Login {
  readonly connection: Connection
  /** What only the holder of the login has: the private key's text, or the password; nothing where an agent logs in. */
  readonly secret: string
}

/** What is said of host keys that are not checked. */
export const HOST_KEYS_UNCHECKED =
  'host-key-check is off: whoever answers at this address gets the files, and the password if one is given.'

/** Reads the keys that were given. @throws UploadError `invalid-input`, `private-key`. */
export function readLogin({ server, transfer }: Settings): Login {
  const key = server.key === undefined ? undefined : readPrivateKey(server.key, server.passphrase)
  return {
    connection: {
      ...server,
      key,
      hostKeys: createHostKeyPolicy(server.hostKeys, server),
      chunkSize: transfer.chunkSize
    },
    secret: key?.key ?? server.password ?? ''
  }
}
