import type { LoginMeans } from './authentication.js'
import type { HostKeyPolicy } from './host-keys.js'

/** One SSH server on the way: where it is, how to know it, and how to log in. */
export interface Hop extends LoginMeans {
  readonly host: string
  readonly port: number
  readonly hostKeys: HostKeyPolicy
}

/** A hop as messages name it. */
export interface Place {
  /** `connect to example.com port 22`; with a jump host it says which of the two. */
  readonly doing: string
  readonly host: string
  readonly username: string
  /** Before the names of its inputs: `jump-` or nothing. */
  readonly prefix: '' | 'jump-'
}

/** How far a connection has come. */
export interface Progress {
  place: Place
  stage: 'reaching' | 'greeting' | 'logging-in' | 'opening'
  /** The first line of what answers, when that is not SSH. */
  foreign: string | undefined
}

/** Of the server; with a jump host the name says so. */
export function placeOf({ host, port, username }: Hop, jump: Hop | undefined): Place {
  const through = jump === undefined ? '' : ` through jump host ${jump.host}`
  return { doing: `connect to ${host} port ${port}${through}`, host, username, prefix: '' }
}

/** Of the jump host. */
export function jumpPlaceOf({ host, port, username }: Hop): Place {
  return { doing: `connect to jump host ${host} port ${port}`, host, username, prefix: 'jump-' }
}
