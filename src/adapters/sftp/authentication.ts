import type { AuthHandlerMiddleware, AuthenticationType } from 'ssh2'
import type { LoginKey } from './private-key.js'

/** The login methods that can work with what is given, best first; a method tried in vain costs a round trip. */
export function authMethods(key: LoginKey | undefined, password: string | undefined): AuthenticationType[] {
  return [
    ...(key === undefined ? [] : (['publickey'] as const)),
    ...(password === undefined ? [] : (['password', 'keyboard-interactive'] as const))
  ]
}

/** Hands ssh2 one method after the other, the first of them not before `mayLogIn`. */
export function authHandler(
  methods: readonly AuthenticationType[],
  mayLogIn: Promise<void> = Promise.resolve()
): AuthHandlerMiddleware {
  const left = [...methods]
  return (_offered, _isPartial, proceed) => {
    // `false` ends the login; the types do not know it.
    void mayLogIn.then(() => proceed(left.shift() ?? (false as unknown as AuthenticationType)))
  }
}
