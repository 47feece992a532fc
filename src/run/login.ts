import { agentSecret, openAgent } from '../adapters/sftp/agent.js'
import type { ServerSettings as Connection } from '../adapters/sftp/connect.js'
import type { Hop } from '../adapters/sftp/hop.js'
import { createHostKeyPolicy } from '../adapters/sftp/host-keys.js'
import { readPrivateKey } from '../adapters/sftp/private-key.js'
import type { HopSettings, Settings } from './settings.js'

export interface Login {
  readonly connection: Connection
  /**
   * What only the holder of the login has, the same in every run: the private key's text, the password, or a signature
   * by the agent's key; `undefined` when the agent's keys make no such signature.
   */
  readonly secret: string | undefined
}

/** What is said of settings that make the connection less safe. */
export function risksOf({ hostKeys, legacyAlgorithms }: Settings['server']): string[] {
  return [
    ...(hostKeys.check === 'off'
      ? [
          'host-key-check is off: whoever answers at this address gets the files, and the password if one is given.'
        ]
      : []),
    ...(legacyAlgorithms
      ? [
          'legacy-algorithms is on: a server that asks for SHA-1 or CBC gets it, and both have been broken. Update the server.'
        ]
      : [])
  ]
}

export type Dialogues = Connection['dialogueOf']

/**
 * Reads the keys that were given, and asks the agent for its keys. `dialogues` takes what ssh2 says.
 *
 * @throws UploadError `invalid-input`, `private-key`.
 */
export async function readLogin({ server, transfer }: Settings, dialogues?: Dialogues): Promise<Login> {
  const { jump } = server
  const hop = await readHop(server, { key: 'key', pins: '' })
  return {
    connection: {
      ...server,
      ...hop,
      jump:
        jump === undefined
          ? undefined
          : await readHop(jump, {
              key: jump.key === server.key ? 'key' : 'jump-key',
              pins: jump.hostKeys === server.hostKeys ? '' : 'jump-'
            }),
      chunkSize: transfer.chunkSize,
      dialogueOf: dialogues
    },
    secret:
      hop.key?.key ?? hop.password ?? (hop.agent === undefined ? undefined : await agentSecret(hop.agent))
  }
}

/** The names of the inputs that a hop's key and pins come from, for messages. */
interface Inputs {
  readonly key: 'key' | 'jump-key'
  readonly pins: '' | 'jump-'
}

async function readHop(settings: HopSettings, inputs: Inputs): Promise<Hop> {
  const { host, port, username, key, passphrase, agent, password, hostKeys } = settings
  return {
    host,
    port,
    username,
    key: key === undefined ? undefined : readPrivateKey(key, passphrase, inputs.key),
    agent: agent === undefined ? undefined : await openAgent(agent),
    password,
    hostKeys: createHostKeyPolicy(hostKeys, settings, inputs.pins)
  }
}
