import type { Place } from './hop.js'
import type { Reason, SshError } from './reason.js'
import { serverText } from './server-text.js'

export const FIREWALL = 'check that its firewall lets this runner in'

/** Why there is no connection to the address, as the system's error code tells. */
export function whyUnreached(error: SshError, place: Place): Reason {
  const { host, prefix } = place
  const seen = readable(error)
  switch (systemCode(error)) {
    case 'ENOTFOUND':
      return [
        'unknown-host',
        `the name ${host} is not known`,
        'It is misspelled, or known only inside another network.',
        `Check the input ${prefix}host. A name of an inner network needs a runner in there, or a jump-host.`
      ]
    case 'EAI_AGAIN':
      return [
        'unreachable',
        `the name ${host} could not be looked up (EAI_AGAIN)`,
        'The name server of this machine did not answer.',
        "Run the job again; when it stays so, check the runner's network."
      ]
    case 'ECONNREFUSED':
      return [
        'unreachable',
        seen,
        'The machine is there, and nothing listens on this port, or a firewall says no.',
        `Check ${addressOf(place)}, that the SSH server runs, and ${FIREWALL}.`
      ]
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return [
        'unreachable',
        seen,
        "There is no way from this machine to the address. GitHub's own runners have no IPv6.",
        'Give a name with an IPv4 address, or use a runner in that network, or a jump-host.'
      ]
    case 'ETIMEDOUT':
      return ['unreachable', seen, ...unansweredHelp(place)]
    default:
      return ['connection-lost', seen]
  }
}

/** What to do about an address at which nothing answers. */
export function unansweredHelp(place: Place): string[] {
  return [
    'A firewall drops what this runner sends, or the machine is off.',
    `Check ${addressOf(place)}, and ${FIREWALL}: the addresses of GitHub's own runners change all the time.`
  ]
}

/** The inputs that say where the server is. */
export function addressOf({ prefix }: Place): string {
  return prefix === '' ? 'the inputs host and port' : 'the input jump-host'
}

function systemCode(error: SshError): unknown {
  if (error instanceof AggregateError) {
    const codes = error.errors.map(inner => (inner as SshError).code)
    // Of several addresses one may have no way to it; another one tells more.
    return codes.find(code => code !== 'ENETUNREACH' && code !== 'EHOSTUNREACH') ?? codes[0]
  }
  return error.code
}

/** An AggregateError of several addresses has no message of its own. */
function readable(error: Error): string {
  if (error.message !== '') return serverText(error.message)
  return error instanceof AggregateError
    ? error.errors.map(inner => serverText((inner as Error).message)).join('; ')
    : error.name
}
