import * as v from 'valibot'
import { UploadError } from '../core/errors.js'
import { VERIFY_MODES } from '../core/identity.js'
import { PUBLISH_MODES } from '../engine/context.js'
import {
  autoOrBytes,
  oneOf,
  type Parse,
  parseBoolean,
  parseHost,
  parseLines,
  parseMode,
  parseName,
  parsePath,
  parsePathBelow,
  parseRemotePath,
  parseShard,
  seconds,
  wholeNumber
} from './parse-input.js'
import { printable } from './printable.js'
import type { Settings, Store } from './settings.js'

type Texts = Readonly<Record<string, string>>

/** What differs between those who ask for an upload. */
interface Asker {
  readonly stores: readonly Store[]
  /** The inputs hold what logs in; otherwise it is added to the settings. */
  readonly givesLogin: boolean
}

const ACTION: Asker = { stores: ['cache', 'none'], givesLogin: true }

/** One entry for each input of action.yml, which alone has the defaults; but for `state`. */
const entries = {
  host: parsedBy(parseHost),
  username: parsedBy(parseName),
  port: parsedBy(wholeNumber(1, 65535)),
  key: secret(),
  passphrase: secret(),
  password: secret(),
  'known-hosts': v.string(),
  'host-key-fingerprint': v.string(),
  'host-key-check': parsedBy(oneOf(['strict', 'off'])),
  paths: parsedBy(parseLines),
  'remote-path': parsedBy(parseRemotePath),
  verify: parsedBy(oneOf(VERIFY_MODES)),
  'if-no-files-found': parsedBy(oneOf(['error', 'warn', 'ignore'])),
  'include-hidden-files': parsedBy(parseBoolean),
  'ignore-file': parsedBy(parsePath),
  'follow-symlinks': parsedBy(parseBoolean),
  'file-mode': parsedBy(parseMode),
  'dir-mode': parsedBy(parseMode),
  'preserve-mtime': parsedBy(parseBoolean),
  publish: parsedBy(oneOf(PUBLISH_MODES)),
  'checksum-file': parsedBy(parsePathBelow),
  'chunk-size': parsedBy(autoOrBytes(1024, 261_120)),
  connections: parsedBy(wholeNumber(1, 16)),
  retries: parsedBy(wholeNumber(0, 100)),
  'connect-timeout': parsedBy(seconds(1, 600)),
  'stall-timeout': parsedBy(seconds(1, 3600)),
  'keepalive-interval': parsedBy(seconds(0, 3600)),
  shard: parsedBy(parseShard),
  delete: parsedBy(parseBoolean),
  'delete-limit': parsedBy(wholeNumber(0, 1_000_000)),
  'dry-run': parsedBy(parseBoolean),
  'checkpoint-interval': parsedBy(seconds(0, 3600))
}

function schemaFor({ stores }: Asker) {
  return v.object({ ...entries, state: parsedBy(oneOf(stores)) })
}

type Values = v.InferOutput<ReturnType<typeof schemaFor>>

/**
 * Reads every input once.
 *
 * @throws UploadError `invalid-input` that names each wrong input, what it must be and what it is, a line each;
 * never with the value of a secret.
 */
export function readSettings(getInput: (name: string) => string, asker = ACTION): Settings {
  const schema = schemaFor(asker)
  const texts: Texts = Object.fromEntries(Object.keys(schema.entries).map(name => [name, getInput(name)]))
  const { output, success, issues = [] } = v.safeParse(schema, texts)
  const problems = [
    ...issues.map(issue => describe(issue, texts)),
    ...(asker.givesLogin ? missingLogin(texts) : [])
  ]
  if (success) problems.push(...unsafeDeletion(toSettings(output)), ...sharedList(toSettings(output)))
  if (!success || problems.length > 0) throw new UploadError('invalid-input', problems.join('\n'))
  return toSettings(output)
}

function toSettings(values: Values): Settings {
  return {
    server: {
      host: values.host,
      port: values.port,
      username: values.username,
      key: values.key,
      passphrase: values.passphrase,
      password: values.password,
      hostKeys: {
        check: values['host-key-check'],
        knownHosts: values['known-hosts'],
        fingerprints: values['host-key-fingerprint']
          .split(/[\r\n]+/)
          .map(line => line.trim())
          .filter(Boolean)
      },
      connectTimeoutMs: values['connect-timeout'],
      stallTimeoutMs: values['stall-timeout'],
      keepaliveIntervalMs: values['keepalive-interval']
    },
    selection: {
      paths: values.paths,
      includeHiddenFiles: values['include-hidden-files'],
      ignoreFile: values['ignore-file'],
      followSymlinks: values['follow-symlinks'],
      shard: values.shard,
      ifNoFilesFound: values['if-no-files-found']
    },
    target: {
      remotePath: values['remote-path'],
      fileMode: values['file-mode'],
      dirMode: values['dir-mode'],
      preserveMtime: values['preserve-mtime'],
      publish: values.publish,
      checksumFile: values['checksum-file']
    },
    transfer: {
      verify: values.verify,
      chunkSize: values['chunk-size'],
      connections: values.connections,
      retries: values.retries
    },
    deletion: values.delete ? { limit: values['delete-limit'] } : undefined,
    isDryRun: values['dry-run'],
    state: { store: values.state, checkpointIntervalMs: values['checkpoint-interval'] }
  }
}

function parsedBy<T>(parse: Parse<T>) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const parsed = parse(dataset.value.trim())
      if ('value' in parsed) return parsed.value
      addIssue({ message: parsed.expected })
      return NEVER
    })
  )
}

/** Kept as it is, but for the line break that a secret set from a file or a pipe ends with. */
function secret() {
  return v.pipe(
    v.string(),
    v.transform(text => {
      const value = text.replace(/[\r\n]+$/, '')
      return value.trim() === '' ? undefined : value
    })
  )
}

/** Only inputs that are no secret have a shape that they can miss. */
function describe(issue: v.BaseIssue<unknown>, texts: Texts): string {
  const name = v.getDotPath(issue) ?? ''
  const text = texts[name]?.trim() ?? ''
  // A context value that is not set arrives as nothing, too, and takes the place of the default.
  const found = text === '' ? 'nothing' : `"${printable(text, 80)}"`
  return `${name}: must be ${issue.message}; found ${found}`
}

function missingLogin({ key = '', password = '' }: Texts): string[] {
  if (key.trim() !== '' || password.trim() !== '') return []
  return [
    'key, password: at least one must be given; found nothing (a secret that this run may not read is empty)'
  ]
}

function unsafeDeletion({ deletion, selection, target }: Settings): string[] {
  if (deletion === undefined) return []
  const { shard } = selection
  const path = target.remotePath
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  return [
    ...(parts.length > 0 && !parts.includes('..')
      ? []
      : [
          `delete: must go with a remote-path that names a directory below / or the login directory, without ..; found remote-path "${printable(path, 80)}"`
        ]),
    ...(shard === undefined
      ? []
      : [
          `delete: must not go with shard, because a shard sees only its share of the files; found shard "${shard.index}/${shard.count}"`
        ])
  ]
}

function sharedList({ selection: { shard }, target: { checksumFile } }: Settings): string[] {
  if (shard === undefined || checksumFile === undefined) return []
  return [
    `checksum-file: must not go with shard, because each shard would replace the list of the others; found shard "${shard.index}/${shard.count}"`
  ]
}
