import { type Parsed, parseHost, parseName, wholeNumber } from './parse-input.js'

export interface JumpHost {
  /** `undefined`: the name that logs in to the server. */
  readonly username: string | undefined
  readonly host: string
  readonly port: number
}

const EXPECTED =
  'user@host:port of one SSH server, or nothing; an IPv6 address is in brackets, as in user@[::1]:22'
const parsePort = wholeNumber(1, 65535)

/** `user@host:port`, of which user and port may be missing. A name with an @ in it ends at the last one. */
export function parseJumpHost(text: string): Parsed<JumpHost | undefined> {
  if (text === '') return { value: undefined }
  const [, user, rest = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(text) ?? []
  const [, address = rest, digits = '22'] = /^(\[.*\]|[^:]*):([^:\]]*)$/s.exec(rest) ?? []
  const username = user === undefined ? { value: undefined } : parseName(user)
  const host = address.includes(',') ? { expected: EXPECTED } : parseHost(address)
  const port = parsePort(digits)
  return 'value' in username && 'value' in host && 'value' in port
    ? { value: { username: username.value, host: host.value, port: port.value } }
    : { expected: EXPECTED }
}
