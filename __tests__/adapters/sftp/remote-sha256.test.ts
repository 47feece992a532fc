import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect } from '../../../src/adapters/sftp/connect.js'
import type { Remote } from '../../../src/engine/ports.js'
import { settingsFor, settingsForSshd } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpFaults, type SftpServer } from '../../support/sftp-server.mjs'
import { describeWithSshd, startSshd, type Sshd } from '../../support/sshd.js'

const never = new AbortController().signal
const DIGEST = createHash('sha256').update('content').digest('hex')
const SIZE = 'content'.length

/** Names that mean something to a shell, of POSIX or another kind. */
const ODD_NAMES = [
  "it's",
  '"quoted"',
  '$(touch pwned)',
  '`touch pwned`',
  '${HOME}',
  'a & touch pwned',
  'a | touch pwned',
  'a; touch pwned',
  'a\ntouch pwned',
  '%PATH%',
  '^a',
  'a > pwned',
  '!1',
  'star*',
  '(a)',
  '{a,b}',
  'a\\'
]
const PLAIN_NAMES = [
  'app.zip',
  '-rf',
  '--help',
  'two words',
  'größe 日本.zip',
  'a_b-c,d=e+f@g~h:i',
  'cafe\u0301'
]

describe('a digest by a program on the server', () => {
  let root: string
  let server: SftpServer
  let remote: Remote

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'remote-sha256-'))
    server = await startSftpServer({ root })
    remote = await connect(settingsFor(server), never)
  })
  afterEach(async () => {
    remote.close()
    await server.close()
    await rm(root, { recursive: true })
  })

  type Exec = NonNullable<SftpFaults['exec']>

  function says(output: string): Exec {
    return (_command, channel) => {
      channel.write(output)
      channel.exit(0)
      channel.end()
    }
  }

  test.each(PLAIN_NAMES)('is asked for: %j', async name => {
    const commands: string[] = []
    server.faults.exec = (command, channel) => {
      commands.push(command)
      says(`${DIGEST}  -\n`)(command, channel)
    }
    expect(await remote.sha256(name, SIZE)).toBe(DIGEST)
    expect(commands).toEqual([`sha256sum < '/${name}' || shasum -a 256 < '/${name}'`])
  })

  test.each(ODD_NAMES)('is not asked for, because a shell may see more than a name: %j', async name => {
    let asked = false
    server.faults.exec = (command, channel) => {
      asked = true
      says(DIGEST)(command, channel)
    }
    expect(await remote.sha256(name, SIZE)).toBeUndefined()
    expect(asked).toBe(false)
  })

  test.each<[string, Exec]>([
    ['nothing', says('')],
    ['an error', says('sha256sum: command not found\n')],
    ['a digest that is cut', says(DIGEST.slice(1))],
    ['a longer one', says(`${DIGEST}0`)],
    ['a digest behind a greeting', says(`Welcome!\n${DIGEST}\n`)],
    [
      'nothing before its input ends',
      (_command, channel) => void channel.resume().on('end', () => channel.close())
    ],
    [
      'output without end',
      (_command, channel) => {
        const writing = setInterval(() => channel.write(DIGEST.repeat(100)), 1)
        channel.resume().on('close', () => clearInterval(writing))
      }
    ]
  ])('that says %s is none', async (_, exec) => {
    server.faults.exec = exec
    expect(await remote.sha256('app.zip', SIZE)).toBeUndefined()
    // The session is as good as before.
    expect(await remote.stat('.')).toMatchObject({ isDirectory: true })
  })

  describe('that takes its time', () => {
    const limitMs = 1_500

    beforeEach(async () => {
      remote.close()
      remote = await connect(settingsFor(server, { stallTimeoutMs: limitMs }), never)
    })

    test('and says nothing, for ever, is none', async () => {
      const closed = new Promise<void>(resolve => {
        server.faults.exec = (_command, channel) => {
          channel.write('...')
          channel.resume().on('close', resolve)
        }
      })
      expect(await remote.sha256('app.zip', SIZE)).toBeUndefined()
      await closed
      expect(await remote.stat('.')).toMatchObject({ isDirectory: true })
    })

    test('has the more of it, the larger the file', async () => {
      server.faults.exec = (command, channel) => {
        setTimeout(() => says(DIGEST)(command, channel), 1.5 * limitMs)
      }
      expect(await remote.sha256('app.zip', 80 * 1024 * 1024)).toBe(DIGEST)
    })
  })

  test('is not waited for once the session has ended', async () => {
    const asked = new Promise<void>(resolve => {
      server.faults.exec = () => resolve()
    })
    const digest = remote.sha256('app.zip', 2 ** 40)
    await asked
    remote.close()
    expect(await digest).toBeUndefined()
  })
})

describeWithSshd('a digest by a shell', () => {
  let sshd: Sshd
  let remote: Remote

  beforeAll(async () => {
    sshd = await startSshd()
    remote = await connect(settingsForSshd(sshd), never)
  })
  afterAll(async () => {
    remote.close()
    await sshd.close()
  })

  test.each([...PLAIN_NAMES, 'dir with space/-n'])('of %j is right', async name => {
    const path = join(sshd.root, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, 'content')
    expect(await remote.sha256(path, SIZE)).toBe(DIGEST)
  })
})
