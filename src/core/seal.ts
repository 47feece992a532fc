import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'

/** Keys that only the holder of the login secret can derive (HKDF-SHA256, RFC 5869). */
export interface StateKeys {
  readonly seal: KeyObject
  readonly name: KeyObject
}

/** Derives the keys for `.upload.meta` from the login secret: the private key's text or the password. */
export function deriveStateKeys(secret: string): StateKeys {
  const derive = (purpose: string) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'resumable-sftp-upload', purpose, 32)))
  return { seal: derive('seal of .upload.meta, version 1'), name: derive('names in .upload.meta, version 1') }
}

/** A name that tells nothing to those without the key: HMAC-SHA256 over the parts, 32 hexadecimal digits. */
export function keyedName(keys: StateKeys, ...parts: readonly string[]): string {
  return createHmac('sha256', keys.name).update(JSON.stringify(parts)).digest().toString('hex', 0, 16)
}

interface Envelope {
  readonly version: number
  readonly seal: string
  readonly payload: string
}

const VERSION = 1

/** Puts a payload into a JSON envelope with its HMAC-SHA256. */
export function sealText(keys: StateKeys, payload: string): string {
  const envelope: Envelope = { version: VERSION, seal: sealOf(keys, payload), payload }
  return JSON.stringify(envelope)
}

/**
 * Takes the payload out of a sealed text.
 *
 * @throws Error that says in a few words why it does not open; the text is from a cache that others can write.
 */
export function openSealed(keys: StateKeys, text: string): string {
  const envelope = parseEnvelope(text)
  if (envelope.version !== VERSION)
    throw new Error(`it has version ${envelope.version}, this is version ${VERSION}`)
  const expected = Buffer.from(sealOf(keys, envelope.payload))
  const found = Buffer.from(envelope.seal)
  if (expected.length !== found.length || !timingSafeEqual(expected, found)) {
    throw new Error('its seal was not made with this login')
  }
  return envelope.payload
}

function sealOf(keys: StateKeys, payload: string): string {
  return createHmac('sha256', keys.seal).update(`${VERSION}\n`).update(payload).digest('base64')
}

function parseEnvelope(text: string): Envelope {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('it is not JSON')
  }
  if (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    'seal' in value &&
    'payload' in value &&
    typeof value.version === 'number' &&
    typeof value.seal === 'string' &&
    typeof value.payload === 'string'
  ) {
    return { version: value.version, seal: value.seal, payload: value.payload }
  }
  throw new Error('it is not an envelope with version, seal and payload')
}
