import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandLine } from '../../src/cli/command-line.js'
import { readCredentials } from '../../src/cli/credentials.js'

let directory: string
let plain: string
let encrypted: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credentials-'))
  plain = join(directory, 'plain')
  encrypted = join(directory, 'encrypted')
  const { privateKey } = generateKeyPairSync('ed25519')
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
  await writeFile(plain, privateKey.export(pkcs8))
  await writeFile(encrypted, privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'open' }))
})
afterAll(() => rm(directory, { recursive: true }))

const GIVEN: CommandLine = {
  paths: ['a', 'b'],
  inputs: new Map([['username', 'deploy']]),
  keyFile: undefined,
  password: undefined,
  isPasswordVisible: false,
  knownHostsFile: undefined,
  useAgent: true,
  tailSize: undefined,
  state: 'file',
  stateDirectory: undefined,
  json: false
}
const AGENT = { SSH_AUTH_SOCK: '/run/agent' }

const questions: string[] = []
const ask = (question: string) => {
  questions.push(question)
  return Promise.resolve('answer')
}

async function read(given: Partial<CommandLine>, environment: NodeJS.ProcessEnv = {}, terminal = true) {
  questions.length = 0
  const { key, ...credentials } = await readCredentials(
    { ...GIVEN, ...given },
    environment,
    terminal ? ask : undefined
  )
  return { ...credentials, hasKey: key !== undefined, questions: [...questions] }
}

describe('what logs in', () => {
  const none = { hasKey: false, passphrase: undefined, password: undefined, agent: undefined, questions: [] }

  test('is the key that was given, without the agent', async () => {
    expect(await read({ keyFile: plain }, AGENT)).toEqual({ ...none, hasKey: true })
  })

  test('is the key, and the password behind it', async () => {
    expect(await read({ keyFile: plain, password: 'x' })).toEqual({ ...none, hasKey: true, password: 'x' })
  })

  test('is the password that was given, without the agent', async () => {
    expect(await read({ password: 'from a file\n' }, AGENT)).toEqual({ ...none, password: 'from a file' })
  })

  test('is the agent where neither is given', async () => {
    expect(await read({}, AGENT)).toEqual({ ...none, agent: '/run/agent' })
  })

  test.each<[string, Partial<CommandLine>, NodeJS.ProcessEnv]>([
    ['no agent', {}, { SSH_AUTH_SOCK: '' }],
    ['--no-agent', { useAgent: false }, AGENT]
  ])('is a password that is asked for with %s', async (_name, given, environment) => {
    const expected = { ...none, password: 'answer', questions: ['Password of deploy:'] }
    expect(await read(given, environment)).toEqual(expected)
    await expect(read(given, environment, false)).rejects.toMatchObject({ code: 'invalid-input' })
  })
})

describe('the passphrase', () => {
  test('is asked for where the key is encrypted', async () => {
    expect(await read({ keyFile: encrypted })).toMatchObject({
      passphrase: 'answer',
      questions: [`Passphrase of ${encrypted}:`]
    })
  })

  test('is not asked for where it is given, not needed, or nobody is there', async () => {
    const given = { SFTP_PASSPHRASE: 'open\n' }
    expect(await read({ keyFile: encrypted }, given)).toMatchObject({ passphrase: 'open', questions: [] })
    expect(await read({ keyFile: plain })).toMatchObject({ passphrase: undefined, questions: [] })
    expect(await read({ keyFile: encrypted }, {}, false)).toMatchObject({ passphrase: undefined })
  })
})

test('the text of a key in place of its path is refused, and not repeated', async () => {
  const text = '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0'
  await expect(read({ keyFile: text })).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.not.stringContaining('c2VjcmV0')
  })
})
