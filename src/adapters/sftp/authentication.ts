import type { AuthenticationType, NextAuthHandler } from 'ssh2'
import type { Agent } from './agent.js'
import type { LoginKey } from './private-key.js'

/** Who logs in, and with what; one of the three is there. */
export interface LoginMeans {
  readonly username: string
  readonly key: LoginKey | undefined
  readonly agent: Agent | undefined
  readonly password: string | undefined
}

interface Method {
  readonly type: AuthenticationType
  /** What the server calls it (RFC 4252, section 5). */
  readonly protocolName: string
  /** For people. */
  readonly means: string
}

/** One login: tries the methods that can work, best first, and remembers what the server says to them. */
export class Authentication {
  /** What the server accepted, while it wanted another method besides; in words. */
  readonly accepted = new Set<string>()
  /** What has been tried since, in words. */
  readonly tried = new Set<string>()
  /** The methods that the server takes, by its last refusal that names them. */
  offered: readonly string[] | undefined
  private readonly left: Method[]
  private last: Method | undefined
  /** Refused by a server that did not take them, or not yet. */
  private readonly early: Method[] = []

  /** No method is tried before `mayLogIn`. */
  constructor(
    means: LoginMeans,
    private readonly mayLogIn?: Promise<void>
  ) {
    this.left = methodsOf(means)
  }

  /** For ssh2's `authHandler`. A method that the server does not take costs a round trip and counts as a failure. */
  readonly next = (
    offered: AuthenticationType[] | null,
    isPartial: boolean | null,
    proceed: NextAuthHandler
  ): void => {
    // Of the answers to an agent's keys ssh2 tells none: it hands on the list of before, the very same one.
    this.note(offered === this.offered ? null : offered, isPartial)
    const at = this.left.findIndex(({ protocolName }) => this.offered?.includes(protocolName) ?? true)
    const [method] = at < 0 ? [] : this.left.splice(at, 1)
    this.last = method
    if (method !== undefined) this.tried.add(method.means)
    // `false` ends the login; the types do not know it.
    const answer = method?.type ?? (false as unknown as AuthenticationType)
    if (this.mayLogIn === undefined) proceed(answer)
    else void this.mayLogIn.then(() => proceed(answer))
  }

  private note(answer: readonly string[] | null, isPartial: boolean | null): void {
    const { last } = this
    this.offered = answer ?? this.offered
    if (last === undefined) return
    if (answer !== null && isPartial === true) {
      this.accepted.add(last.means)
      // As OpenSSH's client does: what was refused until now may be taken after that (RFC 4252, section 5.1).
      this.tried.clear()
      this.left.unshift(...this.early.splice(0))
    } else if (answer?.includes(last.protocolName) !== true) {
      this.early.push(last)
    }
  }
}

function methodsOf({ key, agent, password }: LoginMeans): Method[] {
  const methods: Method[] = []
  if (key !== undefined) {
    const means = `the ${key.type} key ${key.fingerprint}`
    methods.push({ type: 'publickey', protocolName: 'publickey', means })
  }
  if (agent !== undefined) {
    const means = `the agent's ${describeKeys(agent)}`
    methods.push({ type: 'agent', protocolName: 'publickey', means })
  }
  if (password !== undefined) {
    const means = 'the password'
    methods.push({ type: 'password', protocolName: 'password', means })
    methods.push({ type: 'keyboard-interactive', protocolName: 'keyboard-interactive', means })
  }
  return methods
}

function describeKeys({ keys }: Agent): string {
  const named = keys.slice(0, 3).map(({ type, fingerprint }) => `${type} ${fingerprint}`)
  const more = keys.length - named.length
  return `${keys.length === 1 ? 'key' : `${keys.length} keys`} ${[...named, ...(more > 0 ? [`${more} more`] : [])].join(', ')}`
}
