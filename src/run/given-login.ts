/** The inputs as they were given, by name. */
export type Texts = Readonly<Record<string, string>>

/** The variables in which an agent is found. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The socket of the agent to ask: `auto` stands for that of the job, where nothing else is given to log in with. */
export function agentOf(texts: Texts, { SSH_AUTH_SOCK = '' }: Environment): string | undefined {
  const given = texts['ssh-agent']?.trim() ?? 'off'
  if (given !== 'auto') return given === 'off' ? undefined : given
  return hasOwnLogin(texts) || SSH_AUTH_SOCK === '' ? undefined : SSH_AUTH_SOCK
}

/** Says what must be given where there is nothing to log in with; otherwise it is empty. */
export function missingLogin(texts: Texts, environment: Environment): string[] {
  if (hasOwnLogin(texts) || agentOf(texts, environment) !== undefined) return []
  return [
    'key, password: at least one must be given, unless an SSH agent runs; found nothing (a secret that this run may not read is empty)'
  ]
}

/** Says what must be given where inputs are for a jump host and none is named; otherwise it is empty. */
export function missingJump(texts: Texts): string[] {
  if (texts['jump-host']?.trim() !== '') return []
  const given = Object.keys(texts).filter(name => name.startsWith('jump-') && texts[name]?.trim() !== '')
  if (given.length === 0) return []
  return [`jump-host: must be given with ${given.join(', ')}; found nothing`]
}

function hasOwnLogin({ key = '', password = '' }: Texts): boolean {
  return key.trim() !== '' || password.trim() !== ''
}
