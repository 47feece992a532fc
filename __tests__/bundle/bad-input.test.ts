import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startLink, type Link } from '../support/link.mjs'
import { createRunner, type Inputs, type Runner } from '../support/runner.mjs'
import {
  buildTree,
  copyAction,
  errorsOf,
  makeDirectory,
  unmaskedLog,
  warningsOf
} from '../support/runner-site.js'
import { generateKeyPair } from '../support/sftp-server.mjs'

jest.setTimeout(30_000)

const key = generateKeyPair()
const secret = 'a secret that nobody tells'

describe('bad input', () => {
  let actionPath: string
  let machine: Runner
  let link: Link

  beforeAll(async () => {
    actionPath = await copyAction()
    link = await startLink({ port: 9 })
    machine = await createRunner({ actionPath })
    await buildTree(machine, { 'a/same.txt': 'a', 'b/same.txt': 'b' })
  })

  afterAll(async () => {
    await machine.cleanup()
    await link.close()
    await rm(actionPath, { recursive: true, force: true })
  })

  const good = (): Inputs => ({
    host: '127.0.0.1',
    port: String(link.port),
    username: 'deploy',
    key: key.private,
    'known-hosts': `[127.0.0.1]:${link.port} ${key.public}`,
    paths: 'build',
    retries: '0',
    state: 'none'
  })

  test('is the only reason not to connect', async () => {
    const { exitCode } = await machine.runMain(good())
    expect([exitCode, link.connections]).toEqual([1, 1])
  })

  describe('fails the step', () => {
    let before: number

    beforeEach(() => {
      before = link.connections
    })

    /** The input, its value, what it must be, and what was found. */
    test.each<[string, string, RegExp, RegExp]>([
      ['host', '', /must be .*name or IP/, /nothing/],
      ['host', 'sftp://example.com', /must be .*without scheme/, /"sftp:\/\/example\.com"/],
      ['host', 'me@example.com', /must be .*without .*user/, /"me@example\.com"/],
      ['host', 'example.com:22', /must be .*without .*port/, /"example\.com:22"/],
      ['host', 'two words', /must be/, /"two words"/],
      ['username', '', /must be a name/, /nothing/],
      ['username', 'two\nlines', /must be .*one line/, /"two\\nlines"/],
      ['port', '0', /must be .*1 to 65535/, /"0"/],
      ['port', '65536', /must be .*1 to 65535/, /"65536"/],
      ['port', '22x', /must be a whole number/, /"22x"/],
      ['port', '', /must be a whole number/, /nothing/],
      ['host-key-check', 'no', /must be strict or off/, /"no"/],
      [
        'host-key-fingerprint',
        'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48',
        /must be SHA256/,
        /MD5/
      ],
      ['host-key-fingerprint', 'SHA256:abc', /must be SHA256/, /3 characters/],
      ['known-hosts', 'example.com ssh-ed25519', /line 1/, /found/],
      ['known-hosts', 'example.com ssh-ed25519 !!!!', /line 1/, /found/],
      ['known-hosts', '~/.ssh/known_hosts', /line 1/, /found/],
      ['paths', '', /must be at least one line/, /nothing/],
      ['paths', '!build', /must have a line that names files/, /none/],
      ['paths', 'build => ../up', /below remote-path/, /found \.\./],
      ['paths', 'build => /abs', /below remote-path/, /absolute/],
      ['paths', 'build => a\\b', /below remote-path/, /backslash/],
      ['paths', '=> out', /local side/, /nothing/],
      ['paths', 'build =>', /remote side/, /nothing/],
      ['paths', 'build/a/same.txt => x\nbuild/b/same.txt => x', /remote path of its own/, /both go to/],
      ['remote-path', '', /must be a path/, /nothing/],
      ['remote-path', '~other/files', /must be a path/, /"~other\/files"/],
      ['remote-path', 'two\nlines', /must be a path in one line/, /"two\\nlines"/],
      ['verify', 'md5', /must be size, timestamp, tail or full/, /"md5"/],
      ['verify', 'Size', /must be size, timestamp, tail or full/, /"Size"/],
      ['if-no-files-found', 'fail', /must be error, warn or ignore/, /"fail"/],
      ['include-hidden-files', 'yes', /must be true or false/, /"yes"/],
      ['follow-symlinks', '1', /must be true or false/, /"1"/],
      ['preserve-mtime', 'tRUE', /must be true or false/, /"tRUE"/],
      ['file-mode', '0888', /must be octal/, /"0888"/],
      ['file-mode', 'rw-r--r--', /must be octal/, /"rw-r--r--"/],
      ['dir-mode', '17777', /must be octal/, /"17777"/],
      ['chunk-size', '0', /must be auto or .*1024 to 261120/, /"0"/],
      ['chunk-size', '32K', /must be auto or .*1024 to 261120/, /"32K"/],
      ['connections', '0', /must be .*1 to 16/, /"0"/],
      ['connections', '17', /must be .*1 to 16/, /"17"/],
      ['connections', '1.5', /must be a whole number/, /"1\.5"/],
      ['retries', '-1', /must be .*0 to 100/, /"-1"/],
      ['connect-timeout', '0', /must be .*seconds from 1 to 600/, /"0"/],
      ['stall-timeout', '1m', /must be .*seconds from 1 to 3600/, /"1m"/],
      ['keepalive-interval', '3601', /must be .*seconds from 0 to 3600/, /"3601"/],
      ['state', 'disk', /must be cache, server or none/, /"disk"/],
      ['checkpoint-interval', '60s', /must be .*seconds from 0 to 3600/, /"60s"/],
      ['checkpoint-interval', '1e3', /must be .*seconds from 0 to 3600/, /"1e3"/]
    ])('%s: %j', async (name, value, mustBe, found) => {
      const { main, post } = await machine.run({ ...good(), [name]: value })
      expect(main.exitCode).toBe(1)
      const [error = '', ...more] = errorsOf(main)
      expect(more).toEqual([])
      expect(error.startsWith(name)).toBe(true)
      expect(error).toMatch(mustBe)
      expect(error).toMatch(found)
      expect(main.outputs).toMatchObject({ state: 'incomplete', files: '[]' })
      expect(link.connections).toBe(before)
      expect([post?.exitCode, warningsOf(main, post)]).toEqual([0, []])
    })

    test('names each of several wrong inputs', async () => {
      const { main } = await machine.run({ ...good(), port: 'x', verify: 'y', connections: 'z' })
      const lines = errorsOf(main).join('\n').split('\n')
      expect(lines.map(line => line.split(':')[0])).toEqual(['port', 'verify', 'connections'])
    })

    test('without a key and a password', async () => {
      const { main } = await machine.run({ ...good(), key: '' })
      expect(errorsOf(main)).toEqual([
        expect.stringMatching(/^key, password: at least one must be given.*found nothing/)
      ])
      expect(link.connections).toBe(before)
    })

    test('without telling a secret that is wrong', async () => {
      const { main, post } = await machine.run({
        ...good(),
        key: secret,
        passphrase: secret,
        password: secret,
        port: 'x'
      })
      expect(main.exitCode).toBe(1)
      expect(unmaskedLog(main)).not.toContain(secret)
      expect(post?.rawLog).not.toContain(secret)
    })

    test('with a file name that cannot be sent', async () => {
      const directory = await makeDirectory(machine.workspace, 'odd')
      await writeFile(join(directory, 'two\n::error::lines.txt'), '')
      const { main } = await machine.run({ ...good(), paths: 'odd' })
      expect(errorsOf(main)).toEqual([
        expect.stringMatching(/^paths: a file name must be UTF-8 without control.*found ".*two\\n/)
      ])
      expect(link.connections).toBe(before)
    })

    test('when nothing matches', async () => {
      const { main } = await machine.run({ ...good(), paths: 'nowhere/**' })
      expect(errorsOf(main)).toEqual([
        expect.stringMatching(/^paths: must match at least one file.*nowhere\/\*\*/)
      ])
      expect(link.connections).toBe(before)
      expect(main.summary).toMatch(/not begun[^]*must match at least one file[^]*earlier step/)
    })

    test('with a summary', async () => {
      const { main } = await machine.run({ ...good(), port: 'x', password: secret })
      expect(main.summary).toMatch(/^### SFTP upload: not begun\n[^]*<code>port/)
      expect(main.summary).not.toContain(secret)
    })
  })
})
