import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { type CommandLine, parseCommandLine } from '../../src/cli/command-line.js'
import { VERSION } from '../../src/cli/version.js'
import { UploadError } from '../../src/core/errors.js'
import { readActionSection } from '../action/action-yml.js'

const REQUIRED = ['--host', 'example.com', '--user', 'deploy']

let environment: NodeJS.ProcessEnv
let written: string

beforeEach(() => {
  environment = process.env
  process.env = {}
  written = ''
})
afterEach(() => {
  process.env = environment
})

function parse(...argv: string[]): CommandLine | number {
  const write = (text: string) => (written += text)
  return parseCommandLine(argv, { out: write, error: write })
}

function read(...argv: string[]): CommandLine {
  const commandLine = parse(...argv)
  if (typeof commandLine === 'number') throw new Error(`it ended with ${commandLine}: ${written}`)
  return commandLine
}

const inputOf = (name: string, ...argv: string[]) => read('a', 'b', ...REQUIRED, ...argv).inputs.get(name)

describe('the flags', () => {
  /**
   * What has another form on a command line: arguments, files and secrets; the agent, which `--no-agent` leaves out; the
   * login at a jump host, which is that at the server; and the state, which lies elsewhere.
   */
  const OTHERWISE = [
    'paths',
    'remote-path',
    'key',
    'known-hosts',
    'passphrase',
    'password',
    'ssh-agent',
    'jump-key',
    'jump-passphrase',
    'jump-password',
    'jump-known-hosts',
    'state'
  ]

  test('are the inputs of the action, with their defaults', () => {
    const inputs = [...readActionSection('inputs')].filter(([name]) => !OTHERWISE.includes(name))
    const defaults = inputs.map(([name, input]) => [name, input.required ? 'given' : input.default])
    const { inputs: flags } = read('a', 'b', '--host', 'given', '--user', 'given')
    // There is no matrix.
    expect(Object.fromEntries(flags)).toEqual({ ...Object.fromEntries(defaults), 'state-key': '' })
  })

  test.each<[string[], Partial<CommandLine>]>([
    [['--key', '.ssh/id'], { keyFile: '.ssh/id' }],
    [['--password', 'secret'], { password: 'secret', isPasswordVisible: true }],
    [['--known-hosts', 'hosts'], { knownHostsFile: 'hosts' }],
    [['--tail-size', '4096'], { tailSize: '4096' }],
    [['--state', 'none'], { state: 'none' }],
    [['--state-dir', 'there'], { stateDirectory: 'there' }],
    [['--no-agent'], { useAgent: false }],
    [['--json'], { json: true }],
    [[], { useAgent: true, state: 'file', json: false, isPasswordVisible: false, password: undefined }]
  ])('are read: %j', (argv, expected) => {
    expect(read(...REQUIRED, 'a', ...argv, 'b')).toMatchObject({ ...expected, paths: ['a', 'b'] })
  })

  test('give the inputs their texts', () => {
    expect(inputOf('chunk-size', '--chunk-size=32768')).toBe('32768')
    expect(inputOf('follow-symlinks', '--no-follow-symlinks')).toBe('false')
    expect(inputOf('include-hidden-files', '--include-hidden-files')).toBe('true')
    const fingerprints = ['--host-key-fingerprint', 'SHA256:a', '--host-key-fingerprint', 'SHA256:b']
    expect(inputOf('host-key-fingerprint', ...fingerprints)).toBe('SHA256:a\nSHA256:b')
  })
})

describe('an environment variable', () => {
  test('stands in for its flag, which has precedence', () => {
    process.env = {
      SFTP_HOST: 'one',
      SFTP_PORT: '2222',
      SFTP_USER: 'deploy',
      SFTP_KEY: 'id',
      SFTP_PASSWORD: 'x'
    }
    const { inputs, keyFile, password, isPasswordVisible } = read('a', 'b', '--host', 'two')
    expect([inputs.get('host'), inputs.get('port'), inputs.get('username')]).toEqual([
      'two',
      '2222',
      'deploy'
    ])
    expect([keyFile, password, isPasswordVisible]).toEqual(['id', 'x', false])
  })

  test('that is set to nothing is none', () => {
    process.env = { SFTP_PORT: '', SFTP_KEY: '', SFTP_PASSWORD: '' }
    const { inputs, keyFile, password } = read('a', 'b', ...REQUIRED)
    expect([inputs.get('port'), keyFile, password]).toEqual(['22', undefined, undefined])
  })
})

describe('the command ends', () => {
  test.each([['--version'], ['-V']])('with 0 after %s', flag => {
    expect(parse(flag)).toBe(0)
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect([written, VERSION]).toEqual([`${version}\n`, version])
  })

  test('with 2 when a flag is unknown or has no value, and says which', () => {
    expect(parse('a', 'b', ...REQUIRED, '--colour')).toBe(2)
    expect(parse('a', 'b', ...REQUIRED, '--key')).toBe(2)
    expect(parse('a', 'b', '--host', 'example.com')).toBe(2)
    expect(written).toMatch(/--colour[^]*--key[^]*--user/)
  })

  test.each([[[]], [['a']]])('when LOCAL or REMOTE is missing: %j', paths => {
    expect(() => parse(...paths, ...REQUIRED)).toThrow(UploadError)
  })
})
