import { describe, expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { parse } from 'yaml'
import { createHostKeyPolicy } from '../../src/adapters/sftp/host-keys.js'
import { readPrivateKey } from '../../src/adapters/sftp/private-key.js'
import { parsePathLines } from '../../src/adapters/local/path-lines.js'
import { parseCommandLine, type CommandLine } from '../../src/cli/command-line.js'
import { actionIn, readSettings } from '../../src/run/inputs.js'
import { inputsOf, readActionSection } from '../action/action-yml.js'
import { type CodeBlock, codeBlocksOf, readDocument, readDocuments } from './documents.js'

const ACTION = /^OWNER\/resumable-sftp-upload@v\d+$/
const COMMAND =
  /(?:npx (?:--yes )?github:OWNER\/resumable-sftp-upload#v\d+|node dist\/cli\/index\.js) +(\S.*)/g

const { privateKey } = generateKeyPairSync('ed25519')
const KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const KNOWN_HOSTS =
  'files.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'

/** What GitHub would put in place of the expressions that the examples have. */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  'secrets.DEPLOY_KEY': KEY,
  'secrets.JUMP_KEY': KEY,
  'secrets.PREVIEW_KEY': KEY,
  'vars.KNOWN_HOSTS': KNOWN_HOSTS,
  'github.ref_name': 'v1.2.3',
  'github.event.number': '17',
  'matrix.host': 'eu.example.org',
  'matrix.shard': '2',
  'strategy.job-total': '5'
}

/** What an example takes for granted that shows one thing only. */
const BESIDES = {
  host: 'files.example.org',
  username: 'deploy',
  key: KEY,
  paths: 'dist',
  'remote-path': '/srv/www'
}

interface Step {
  readonly uses?: string
  readonly with?: Readonly<Record<string, unknown>>
}

const inputs = readActionSection('inputs')
const blocks = readDocuments().flatMap(codeBlocksOf)
const yaml = blocks.filter(({ language }) => language === 'yaml')

describe('an example of a workflow', () => {
  const uses = yaml.flatMap(block => stepsIn(block).flatMap(step => ownUse(step, block)))

  test('is YAML of a known kind', () => {
    expect(yaml.length).toBeGreaterThan(12)
    expect(yaml.filter(block => kindOf(block) === undefined).map(({ place }) => place)).toEqual([])
  })

  test.each(uses.map(({ place, given, text }) => [place, given, text] as const))(
    'gives inputs that there are, with values that can be read: %s',
    (_place, given, text) => {
      expect(Object.keys(given).filter(name => !inputs.has(name))).toEqual([])
      const environment = text.includes('SSH_AUTH_SOCK') ? { SSH_AUTH_SOCK: '/tmp/agent' } : {}
      const values = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, evaluate(value)]))
      check(values, environment)
    }
  )

  test.each(
    yaml.filter(block => kindOf(block) === 'inputs').map(block => [block.place, block.text] as const)
  )('shows inputs alone that can be read: %s', (_place, text) => {
    const given = Object.entries(parse(text) as Record<string, unknown>)
    check({ ...BESIDES, ...Object.fromEntries(given.map(([name, value]) => [name, evaluate(value)])) })
  })

  test('asks for outputs that there are', () => {
    const outputs = readActionSection('outputs')
    const asked = blocks.flatMap(({ text }) => [...text.matchAll(/steps\.upload\.outputs\.([\w-]+)/g)])
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.map(([, name = '']) => name).filter(name => !outputs.has(name))).toEqual([])
  })
})

test.each(['README.md', 'docs/recipes.md', 'docs/troubleshooting.md', 'SECURITY.md'])(
  '%s speaks of values that inputs can have',
  path => {
    const prose = readDocument(path).text.replace(/^#+ .*$/gm, '')
    const spans = [...prose.matchAll(/`([a-z-]+): ([^`]+)`/g)]
    const given = spans.flatMap(([, name = '', value = '']) => (inputs.has(name) ? [{ name, value }] : []))
    expect(given.length).toBeGreaterThan(0)
    for (const { name, value } of given) check({ ...BESIDES, [name]: String(parse(value)) })
  }
)

describe('an example of the command line', () => {
  const commands = blocks.flatMap(commandsIn)

  test.each(commands.map(({ place, argv, variables }) => [place, argv, variables] as const))(
    'has flags that there are, with values that can be read: %s %j',
    (_place, argv, variables) => {
      const { paths, inputs: texts } = read(argv, variables)
      expect(paths.length).toBeGreaterThan(1)
      const given: Record<string, string> = {
        paths: 'dist',
        'remote-path': '/srv/www',
        state: 'file',
        'ssh-agent': 'off'
      }
      const asker = { stores: ['file', 'none'], givesLogin: false, environment: {} } as const
      readSettings(name => texts.get(name) ?? given[name] ?? '', asker)
    }
  )

  test('is there for a terminal, for GitLab CI and for Jenkins', () => {
    expect([...new Set(commands.map(({ language }) => language))].sort()).toEqual(['groovy', 'sh', 'yaml'])
  })

  test('is told of with flags and variables that there are', () => {
    const { text } = readDocument('docs/command-line.md')
    const prose = text.replace(/^```[^]*?^```$/gm, '')
    const named = [...prose.matchAll(/(?:--[a-z][a-z-]+|SFTP_[A-Z]+)/g)].map(([name]) => name)
    let help = ''
    parseCommandLine(['--help'], { out: more => (help += more), error: () => undefined })
    expect(named.length).toBeGreaterThan(10)
    expect([...new Set(named)].filter(name => !help.includes(name))).toEqual([])
  })
})

/** As the action does before it connects. @throws UploadError */
function check(
  given: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {}
): void {
  const { server, selection } = readSettings(inputsOf(given), actionIn(environment))
  parsePathLines(selection.paths)
  for (const hop of [server, ...(server.jump === undefined ? [] : [server.jump])]) {
    if (hop.key !== undefined) readPrivateKey(hop.key, hop.passphrase)
    createHostKeyPolicy(hop.hostKeys, hop)
  }
}

function kindOf(block: CodeBlock): 'uses' | 'inputs' | 'command' | undefined {
  if (stepsIn(block).some(isOwn)) return 'uses'
  if (commandsIn(block).length > 0) return 'command'
  const value: unknown = parse(block.text)
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMapping && Object.keys(value).every(name => inputs.has(name)) ? 'inputs' : undefined
}

/** Those of a workflow, or of a list of steps. */
function stepsIn({ text }: CodeBlock): Step[] {
  const value: unknown = parse(text)
  if (Array.isArray(value)) return value as Step[]
  const { jobs = {} } = value as { jobs?: Record<string, { steps: Step[] }> }
  return Object.values(jobs).flatMap(({ steps }) => steps)
}

function isOwn({ uses = '' }: Step): boolean {
  return ACTION.test(uses)
}

function ownUse(step: Step, { place, text }: CodeBlock) {
  return isOwn(step) ? [{ place, text, given: step.with ?? {} }] : []
}

/** The text that the runner would hand over. */
function evaluate(value: unknown): string {
  return String(value).replace(/\$\{\{ *(.*?) *\}\}/g, (_, expression: string) => {
    const text = EXPRESSIONS[expression]
    if (text === undefined) throw new Error(`no value is known for the expression ${expression}`)
    return text
  })
}

/** The commands of a block, with the variables that it sets. */
function commandsIn({ place, language, text }: CodeBlock) {
  if (!['sh', 'yaml', 'groovy'].includes(language)) return []
  const script = (language === 'yaml' ? scriptOf(text) : text).replace(/\\\n */g, ' ')
  const variables = [...text.matchAll(/\w+Variable: '(\w+)'/g)].map(([, name = '']) => name)
  return [...script.matchAll(COMMAND)].map(([, rest = '']) => ({
    place,
    language,
    variables,
    argv: [...rest.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
      ([, double, single, plain]) => double ?? single ?? plain ?? ''
    )
  }))
}

function scriptOf(text: string): string {
  const jobs = Object.values(parse(text) as Record<string, { script?: string[] } | string>)
  return jobs.flatMap(job => (typeof job === 'object' ? (job.script ?? []) : [])).join('\n')
}

function read(argv: readonly string[], variables: readonly string[]): CommandLine {
  const before = process.env
  let told = ''
  process.env = Object.fromEntries(variables.map(name => [name, 'x']))
  try {
    const write = (text: string) => (told += text)
    const commandLine = parseCommandLine(argv, { out: write, error: write })
    if (typeof commandLine === 'number') throw new Error(told)
    return commandLine
  } finally {
    process.env = before
  }
}
