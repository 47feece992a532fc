import { timingSafeEqual } from 'node:crypto'
import type { ParsedKey } from 'ssh2'
import { UploadError } from '../../core/errors.js'
import { createLimitedAgent } from './limited-agent.js'
import { fingerprintOf } from './public-key.js'

/** A running SSH agent that holds keys this program can use. */
export interface Agent {
  /** A Unix socket, or a named pipe on Windows. */
  readonly socket: string
  readonly keys: readonly AgentKey[]
}

export interface AgentKey {
  readonly type: string
  /** `SHA256:…` of the public key. */
  readonly fingerprint: string
  readonly publicKey: ParsedKey
}

/** An agent answers at once, or is gone; one that waits for a person is of no use here. */
const ANSWER_MS = 5_000

/** Those whose signature of the same text is the same each time (RFC 8032; RFC 8017, section 8.2). */
const DETERMINISTIC: readonly string[] = ['ssh-ed25519', 'ssh-rsa']

/** No login signs this: what a login signs begins with a session's id (RFC 4252, section 7). */
const SECRET_TEXT = Buffer.from(
  'resumable-sftp-upload: the secret that the state of an upload is sealed with'
)

/**
 * Asks an agent for its keys.
 *
 * @throws UploadError `invalid-input` that names the input when nothing answers there in time, or there is no key.
 */
export async function openAgent(socket: string, limitMs = ANSWER_MS): Promise<Agent> {
  const agent = createLimitedAgent(socket, limitMs)
  const wrong = (found: string, advice: string) =>
    new UploadError(
      'invalid-input',
      `ssh-agent: must be the socket of a running agent that holds a key; found ${found} (${socket})\n${advice}`
    )
  const identities = await ask<ParsedKey[]>(done => agent.getIdentities(done as never), limitMs).catch(() => {
    throw wrong(
      'nothing that answers',
      'Start the agent in an earlier step of the same job, or give the private key as the input key.'
    )
  })
  const keys = identities.map(publicKey => ({
    type: publicKey.type,
    fingerprint: fingerprintOf(publicKey.getPublicSSH()),
    publicKey
  }))
  if (keys.length === 0) {
    throw wrong(
      'no usable key',
      'ssh-add KEYFILE adds one, ssh-add -l lists them; certificates and keys on a token cannot be used.'
    )
  }
  return { socket, keys }
}

/**
 * A secret that only who holds the agent's first ed25519 or RSA key can make, the same each time; `undefined` when it
 * has no such key. Other kinds of key sign the same text differently each time.
 */
export async function agentSecret({ socket, keys }: Agent, limitMs = ANSWER_MS): Promise<string | undefined> {
  const agent = createLimitedAgent(socket, limitMs)
  const able = keys.find(({ type }) => DETERMINISTIC.includes(type))
  if (able === undefined) return undefined
  const { publicKey, type } = able
  const options = type === 'ssh-rsa' ? { hash: 'sha512' as const } : {}
  const sign = () => ask<Buffer>(done => agent.sign(publicKey, SECRET_TEXT, options, done as never), limitMs)
  try {
    const [first, second] = [await sign(), await sign()]
    const isStable = first.length === second.length && timingSafeEqual(first, second)
    return isStable ? first.toString('base64') : undefined
  } catch {
    // A key that wants to be confirmed, or an agent that has gone: the login will tell.
    return undefined
  }
}

function ask<T>(
  request: (done: (error?: Error | null, answer?: T) => void) => void,
  limitMs: number
): Promise<T> {
  return new Promise((resolve, reject) => {
    // The way to the agent can hang, too: in Cygwin's it is a dialogue of its own.
    const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs).unref()
    request((error, answer) => {
      clearTimeout(timer)
      if (answer === undefined) reject(error ?? new Error('no answer'))
      else resolve(answer)
    })
  })
}
