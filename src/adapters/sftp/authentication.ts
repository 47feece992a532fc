import type { AuthHandlerMiddleware, AuthenticationType } from 'ssh2'
import type { LoginKey } from './private-key.js'

/** What a user logs in with: at least one of them. */
export interface Credentials {
  readonly key: LoginKey | undefined
  readonly password: string | undefined
  /** The socket of an ssh agent, which offers its keys one after the other. */
  readonly agent?: string | undefined
}

/** The login methods that can work with what is given, best first; a method tried in vain costs a round trip. */
export function authMethods({ key, password, agent }: Credentials): AuthenticationType[] {
  return [
    ...(key === undefined ? [] : (['publickey'] as const)),
    ...(agent === undefined ? [] : (['agent'] as const)),
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
