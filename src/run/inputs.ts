import * as v from 'valibot'
import { UploadError } from '../core/errors.js'
import { VERIFY_MODES } from '../core/identity.js'
import { PUBLISH_MODES } from '../engine/context.js'
import { agentOf, type Environment, missingJump, missingLogin, type Texts } from './given-login.js'
import { conflictsOf } from './input-conflicts.js'
import { jumpSettings } from './jump-settings.js'
import {
  autoOrBytes,
  oneOf,
  parseAgent,
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
import { parseJumpHost } from './parse-jump-host.js'
import { printable } from './printable.js'
import type { HopSettings, Settings, Store } from './settings.js'

/** What differs between those who ask for an upload. */
interface Asker {
  readonly stores: readonly Store[]
  /** The inputs hold what logs in; otherwise it is added to the settings. */
  readonly givesLogin: boolean
  readonly environment: Environment
}

const ACTION: Asker = { stores: ['cache', 'server', 'none'], givesLogin: true, environment: {} }

/** The action, in a job with these variables. */
export function actionIn(environment: Environment): Asker {
  return { ...ACTION, environment }
}

/** One entry for each input of action.yml, which alone has the defaults; but for `state`. */
const entries = {
  host: parsedBy(parseHost),
  username: parsedBy(parseName),
  port: parsedBy(wholeNumber(1, 65535)),
  key: secret(),
  passphrase: secret(),
  password: secret(),
  'ssh-agent': parsedBy(parseAgent),
  'known-hosts': v.string(),
  'host-key-fingerprint': v.string(),
  'host-key-check': parsedBy(oneOf(['strict', 'off'])),
  'jump-host': parsedBy(parseJumpHost),
  'jump-key': secret(),
  'jump-passphrase': secret(),
  'jump-password': secret(),
  'jump-known-hosts': v.string(),
  'jump-host-key-fingerprint': v.string(),
  'legacy-algorithms': parsedBy(parseBoolean),
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
  'state-key': v.pipe(v.string(), v.trim()),
  'checkpoint-interval': parsedBy(seconds(0, 3600))
}

function schemaFor({ stores }: Asker) {
  return v.object({ ...entries, state: parsedBy(oneOf(stores)) })
}

type Values = v.InferOutput<ReturnType<typeof schemaFor>>

/**
 * Reads every input once. An agent is found by `SSH_AUTH_SOCK` in the environment.
 *
 * @throws UploadError `invalid-input` that names each wrong input, what it must be and what it is, a line each;
 * never with the value of a secret.
 */
export function readSettings(getInput: (name: string) => string, asker = ACTION): Settings {
  const schema = schemaFor(asker)
  const texts: Texts = Object.fromEntries(Object.keys(schema.entries).map(name => [name, getInput(name)]))
  const { output, success, issues = [] } = v.safeParse(schema, texts)
  const settings = success ? toSettings(output, agentOf(texts, asker.environment)) : undefined
  const problems = [
    ...issues.map(issue => describe(issue, texts)),
    ...(asker.givesLogin ? missingLogin(texts, asker.environment) : []),
    ...missingJump(texts),
    ...(settings === undefined ? [] : conflictsOf(settings))
  ]
  if (settings === undefined || problems.length > 0) {
    throw new UploadError('invalid-input', problems.join('\n'))
  }
  return settings
}

function toSettings(values: Values, agent: string | undefined): Settings {
  const hop: HopSettings = {
    host: values.host,
    port: values.port,
    username: values.username,
    key: values.key,
    passphrase: values.passphrase,
    agent,
    password: values.password,
    hostKeys: {
      check: values['host-key-check'],
      knownHosts: values['known-hosts'],
      fingerprints: nonBlankLines(values['host-key-fingerprint'])
    }
  }
  return {
    server: {
      ...hop,
      jump: jumpSettings(
        {
          at: values['jump-host'],
          key: values['jump-key'],
          passphrase: values['jump-passphrase'],
          password: values['jump-password'],
          knownHosts: values['jump-known-hosts'],
          fingerprints: nonBlankLines(values['jump-host-key-fingerprint'])
        },
        hop
      ),
      legacyAlgorithms: values['legacy-algorithms'],
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
    state: {
      store: values.state,
      key: values['state-key'],
      checkpointIntervalMs: values['checkpoint-interval']
    }
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

function nonBlankLines(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map(line => line.trim())
    .filter(Boolean)
}
