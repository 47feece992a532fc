import type { Authentication } from './authentication.js'
import type { Place } from './hop.js'
import type { Reason, SshError } from './reason.js'
import { serverText } from './server-text.js'

/** Why the login was refused, and what may open the door: it depends on what was tried and on what the server takes. */
export function whyRefused(place: Place, login: Authentication): Reason {
  const { username, prefix } = place
  const { offered, accepted, tried } = login
  const takes = offered === undefined ? '' : `; it takes ${offered.join(', ') || 'nothing'}`
  if (accepted.size === 0) {
    const means = listed(tried) || 'what is given'
    return ['login', `the server refuses ${username} with ${means}${takes}`, ...loginHelp(place, login)]
  }
  const refused = [...tried].filter(means => !accepted.has(means))
  if (refused.length > 0) {
    return [
      'login',
      `the server accepts ${username} with ${listed(accepted)}, and refuses ${listed(refused)}${takes}`,
      ...loginHelp(place, login)
    ]
  }
  return [
    'login',
    `the server accepts ${username} with ${listed(accepted)}, and wants another proof besides${takes}`,
    'Its AuthenticationMethods asks for two.',
    `Give both the inputs ${prefix}key and ${prefix}password, or use an account that one is enough for.`
  ]
}

/** The server counts tries, and has had enough of them. */
export function tooManyTries(login: Authentication): Reason {
  return [
    'login',
    `the server ended the login after too many tries, with ${listed(login.tried)}`,
    'Each key of an agent counts as one, and six are the usual limit (MaxAuthTries).',
    'Leave only the right key in the agent, or give it as the input key.'
  ]
}

/** The agent listed its key, and fails at using it. */
export function whyUnsigned(error: SshError): Reason {
  return [
    'login',
    `the agent does not sign: ${serverText(error.message)}`,
    'It holds the key, and did not answer when it was asked to use it: it ended, or wants somebody to confirm.',
    'Start it in an earlier step of the same job, or give the private key as the input key.'
  ]
}

function listed(means: Iterable<string>): string {
  return [...means].join(' and with ')
}

function loginHelp({ username, prefix }: Place, { tried, offered }: Authentication): string[] {
  const takes = (...names: string[]) => offered === undefined || names.some(name => offered.includes(name))
  const takesPassword = takes('password', 'keyboard-interactive')
  const triedKey = [...tried].some(means => means !== 'the password')
  if (triedKey && takes('publickey')) {
    return [
      `The public half of the key must be in the server's authorized_keys of ${username}, in a directory that only ${username} can write to.`,
      'On the server, ssh-keygen -lf ~/.ssh/authorized_keys shows the fingerprints that are in, and journalctl -u ssh why it refused.'
    ]
  }
  if (triedKey) {
    return [
      `The server takes no key from ${username}.`,
      takesPassword
        ? `Give the input ${prefix}password, or have PubkeyAuthentication allowed for ${username}.`
        : `Ask the server's owner how ${username} is to log in.`
    ]
  }
  if (takesPassword) {
    return [
      'The name or the password is wrong, or this user may not log in with a password.',
      `Check the inputs username and ${prefix}password; for a key, the input ${prefix}key.`
    ]
  }
  return [
    `The server takes no password from ${username}.`,
    `Give a private key as the input ${prefix}key, its public half in the server's authorized_keys of ${username}.`
  ]
}
