import type { VerifyMode } from '../core/identity.js'
import type { Shard } from '../core/shard.js'
import type { PublishMode } from '../engine/context.js'
import type { HostKeySettings } from '../adapters/sftp/host-keys.js'

/** All that the inputs say. Times are in milliseconds. */
export interface Settings {
  readonly server: ServerSettings
  readonly selection: {
    /** The lines of the input `paths`, blank ones and comments included. */
    readonly paths: readonly string[]
    readonly includeHiddenFiles: boolean
    /** Relative to the workspace; `undefined`: none. */
    readonly ignoreFile: string | undefined
    readonly followSymlinks: boolean
    /** `undefined`: all files. */
    readonly shard: Shard | undefined
    readonly ifNoFilesFound: 'error' | 'warn' | 'ignore'
  }
  readonly target: {
    /** Relative to the login directory unless it begins with `/`. */
    readonly remotePath: string
    /** Permission bits; `undefined`: those of the local file. */
    readonly fileMode: number | undefined
    /** Permission bits; `undefined`: the server's default. */
    readonly dirMode: number | undefined
    readonly preserveMtime: boolean
    readonly publish: PublishMode
    /** Below `remotePath`; `undefined`: none is uploaded. */
    readonly checksumFile: string | undefined
  }
  readonly transfer: {
    readonly verify: VerifyMode
    /** Bytes. */
    readonly chunkSize: number | 'auto'
    readonly connections: number
    readonly retries: number
  }
  /** `undefined`: nothing is deleted. */
  readonly deletion: { readonly limit: number } | undefined
  readonly isDryRun: boolean
  readonly state: {
    /** The place that is asked first. */
    readonly store: Store
    /** Tells apart steps that would share state; may be empty. */
    readonly key: string
    /** 0: only at the end. */
    readonly checkpointIntervalMs: number
  }
}

/** Where the state is kept: `cache` and `server` are for the action, `file` for the command line. */
export type Store = 'cache' | 'server' | 'file' | 'none'

export interface ServerSettings extends HopSettings {
  /** The SSH server through which this one is reached. */
  readonly jump: HopSettings | undefined
  readonly legacyAlgorithms: boolean
  readonly connectTimeoutMs: number
  readonly stallTimeoutMs: number
  /** 0: none. */
  readonly keepaliveIntervalMs: number
}

/** One SSH server, and how to log in: by key, agent or password, of which at least one is there. */
export interface HopSettings {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly key: string | undefined
  readonly passphrase: string | undefined
  /** The socket of an SSH agent. */
  readonly agent: string | undefined
  readonly password: string | undefined
  readonly hostKeys: HostKeySettings
}

/** Shorter lines of a key say nothing of it, and would be masked everywhere in the log. */
const SHORTEST_KEY_LINE = 8

/**
 * The values to mask in the log. A key is given line by line, because the runner would mask each line of it anyway,
 * with the short last one; and in one line with `\n` in place of the line breaks, as environment files and JSON hold it.
 */
export function secretsOf({ server }: Settings): string[] {
  const hops = [server, ...(server.jump === undefined ? [] : [server.jump])]
  return [...new Set(hops.flatMap(secretsOfHop))].filter(value => value.trim() !== '')
}

function secretsOfHop({ key = '', passphrase = '', password = '' }: HopSettings): string[] {
  const lines = key.split(/\r\n|\r|\n|\\r\\n|\\n/).map(line => line.trim())
  const keyLines = lines.filter(line => line.length >= SHORTEST_KEY_LINE && !line.startsWith('-----'))
  const joined = lines.length > 1 ? lines.join('\\n') : ''
  const texts = [passphrase, password].flatMap(text => [text, text.replace(/\r?\n/g, '\\n')])
  return [...keyLines, joined, ...texts]
}
