/** Decodes base64, padded or not (RFC 4648 section 4); `undefined` for all else, a cut last group included. */
export function decodeBase64(text: string): Buffer | undefined {
  const bare = text.replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/]+$/.test(bare)) return undefined
  const bytes = Buffer.from(bare, 'base64')
  return encodeBare(bytes) === bare ? bytes : undefined
}

/** Base64 without padding, as OpenSSH prints fingerprints. */
export function encodeBare(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
