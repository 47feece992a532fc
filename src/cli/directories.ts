import { isAbsolute, join } from 'node:path'

interface Machine {
  readonly environment: NodeJS.ProcessEnv
  readonly platform: NodeJS.Platform
  readonly home: string
}

const NAME = 'resumable-sftp-upload'

/** For what can be lost: `XDG_CACHE_HOME`, or what the system has in its place. */
export function cacheDirectory({ environment, platform, home }: Machine): string {
  const standard =
    platform === 'win32'
      ? (environment.LOCALAPPDATA ?? join(home, 'AppData', 'Local'))
      : join(home, ...(platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']))
  return join(absolute(environment.XDG_CACHE_HOME) ?? standard, NAME)
}

/** For what belongs to this machine and is not to go into a cache that others read: `XDG_STATE_HOME`. */
export function privateDirectory({ environment, platform, home }: Machine): string {
  const standard =
    platform === 'win32'
      ? (environment.APPDATA ?? join(home, 'AppData', 'Roaming'))
      : join(home, ...(platform === 'darwin' ? ['Library', 'Application Support'] : ['.local', 'state']))
  return join(absolute(environment.XDG_STATE_HOME) ?? standard, NAME)
}

/** The XDG Base Directory Specification has relative paths ignored. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined
}
