import type { AuthenticationType } from 'ssh2'
import type { LoginKey } from './private-key.js'

/** The login methods that can work with what is given, best first; a method tried in vain costs a round trip. */
export function authMethods(key: LoginKey | undefined, password: string | undefined): AuthenticationType[] {
  return [
    ...(key === undefined ? [] : (['publickey'] as const)),
    ...(password === undefined ? [] : (['password', 'keyboard-interactive'] as const))
  ]
}
