import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ServerSettings } from '../../../src/adapters/sftp/connect.js'
import { SharedSessions } from '../../../src/adapters/sftp/shared-sessions.js'
import { ServerKeeper } from '../../../src/adapters/state/server-keeper.js'
import { targetOfPart } from '../../../src/core/identity.js'
import type { Remote } from '../../../src/engine/ports.js'
import { MemoryClock } from '../../support/memory-clock.js'
import { MemoryServer } from '../../support/memory-server.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpServer, type SftpServerOptions } from '../../support/sftp-server.mjs'

const never = new AbortController().signal
const patience = { limitMs: 10_000, signal: undefined }
const NAME = '.0123456789abcdef.upload.meta'
const TEMPORARY = `${NAME}.89abcdef.new`
/** SFTP status codes (draft-ietf-secsh-filexfer-02, section 7). */
const PERMISSION_DENIED = 3
const FAILURE = 4

describe('the state on the server', () => {
  let root: string
  let server: SftpServer
  let sessions: SharedSessions
  let opened: Remote[]

  /** Another process: it knows nothing of what was done before. */
  function keeper(changes: Partial<ServerSettings> = {}): ServerKeeper {
    sessions = new SharedSessions(async signal => {
      const remote = await connect(settingsFor(server, changes), signal)
      opened.push(remote)
      return remote
    })
    return new ServerKeeper({ sessions, path: NAME, temporaryPath: TEMPORARY })
  }

  async function restart(options: Partial<SftpServerOptions>): Promise<void> {
    await server.close()
    server = await startSftpServer({ root, ...options })
  }

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'server-keeper-'))
    server = await startSftpServer({ root })
    opened = []
  })
  afterEach(async () => {
    for (const remote of opened) remote.close()
    await server.close()
    await rm(root, { recursive: true })
  })

  test('is nothing at first, and then what was saved last', async () => {
    expect(await keeper().load(never)).toBeUndefined()
    await keeper().save('the first', patience)
    expect(await keeper().load(never)).toBe('the first')
    await keeper().save('the second', patience)
    expect(await keeper().load(never)).toBe('the second')
    expect(await readdir(root)).toEqual([NAME])
  })

  test('can be long', async () => {
    const text = randomBytes(5 * 1024 * 1024).toString('hex')
    await keeper().save(text, patience)
    expect((await keeper().load(never)) === text).toBe(true)
  })

  test('is for the login alone', async () => {
    await keeper().save('text', patience)
    expect((await stat(join(root, NAME))).mode & 0o777).toBe(0o600)
  })

  test.each<[string, Partial<SftpServerOptions>]>([
    ['that refuses a rename onto a file', { extensions: [] }],
    ['whose rename replaces', { extensions: [], overwriteOnRename: true }]
  ])('is replaced on a server %s', async (_which, options) => {
    await restart(options)
    await keeper().save('the first', patience)
    await keeper().save('the second', patience)
    expect(await keeper().load(never)).toBe('the second')
    expect(await readdir(root)).toEqual([NAME])
  })

  test.each([[['fstat', 'stat']], [['close']], [['write', 'fstat', 'close']], [['close', 'fstat']]] as const)(
    'is whole where %j do not wait for what was asked before',
    async overtaking => {
      for (let seed = 1; seed <= 5; seed++) {
        const clock = new MemoryClock()
        const unordered = new MemoryServer(clock, { seed, overtaking, jitterMs: 50, chunkSize: 1000 })
        const there = new SharedSessions(unordered.connect)
        const here = new ServerKeeper({ sessions: there, path: NAME, temporaryPath: TEMPORARY })
        for (const text of ['x'.repeat(10_000), 'y'.repeat(9_000)]) {
          await clock.until(here.save(text, { limitMs: 600_000, signal: undefined }))
          expect(unordered.bytesOf(NAME)?.toString()).toBe(text)
        }
        expect([...unordered.files.keys()]).toEqual([NAME])
      }
    }
  )

  test('goes over the session of the upload, which stays open', async () => {
    const here = keeper()
    const remote = await sessions.connect(never)
    await here.save('text', patience)
    expect(await here.load(never)).toBe('text')
    expect(server.connections).toBe(1)
    expect(await remote.stat(NAME)).toMatchObject({ size: 4 })
  })

  test.each(['write', 'close', 'fstat'] as const)('stays as it was when a %s is refused', async operation => {
    await keeper().save('the first', patience)
    server.faults.refuse = { [operation]: FAILURE }
    await expect(keeper().save('the second', patience)).rejects.toThrow(/^the server does not take it \(/)
    server.faults.refuse = undefined
    expect(await keeper().load(never)).toBe('the first')
    expect(await readdir(root)).toEqual([NAME])
  })

  test('stays as it was when the line is cut, and the next save needs no clearing up', async () => {
    await keeper().save('the first', patience)
    server.faults.cutAfterBytes = 3
    await expect(keeper().save('the second', patience)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(await keeper().load(never)).toBe('the first')
    expect((await readdir(root)).sort()).toEqual([NAME, TEMPORARY])
    await keeper().save('3rd', patience)
    expect(await keeper().load(never)).toBe('3rd')
    expect(await readdir(root)).toEqual([NAME])
  })

  test('that is refused is a clause of why', async () => {
    server.faults.refuse = { open: PERMISSION_DENIED }
    await expect(keeper().save('text', patience)).rejects.toThrow(
      /^the server does not take it \(open .*upload\.meta.*ermission denied.*\)$/
    )
    await writeFile(join(root, NAME), 'text')
    await expect(keeper().load(never)).rejects.toThrow(
      /^the server does not give it \(open .*ermission denied.*\)$/
    )
  })

  test('that is a directory is no state', async () => {
    await mkdir(join(root, NAME))
    await expect(keeper().load(never)).rejects.toThrow(/^the server does not give it/)
  })

  test('is asked for again when the line is cut, and given up the second time', async () => {
    await writeFile(join(root, NAME), 'text')
    const here = keeper({ stallTimeoutMs: 500 })
    await sessions.connect(never)
    await sessions.connect(never)
    server.faults.silentAfterBytes = 0
    await expect(here.load(never)).rejects.toMatchObject({ code: 'stalled' })
    const second = here.load(never)
    await expect(second).rejects.not.toHaveProperty('code')
    await expect(second).rejects.toThrow(/^the server does not give it/)
  })

  test('is not waited for longer than the limit', async () => {
    const here = keeper()
    await sessions.connect(never)
    server.faults.delayMs = 3_000
    const at = performance.now()
    await expect(here.save('text', { limitMs: 100, signal: undefined })).rejects.toThrow(
      /no answer within 0\.1 s/
    )
    expect(performance.now() - at).toBeLessThan(2_000)
  })

  test('is given up when the signal is aborted', async () => {
    const here = keeper()
    await sessions.connect(never)
    server.faults.delayMs = 3_000
    const stop = new AbortController()
    const saving = here.save('text', { limitMs: 10_000, signal: stop.signal })
    stop.abort(new Error('stop'))
    await expect(saving).rejects.toThrow(/stop/)
  })

  test('is the last one that was saved, whatever became of the one that was given up before', async () => {
    const here = keeper()
    await sessions.connect(never)
    server.faults.delayMs = 200
    const stop = new AbortController()
    const long = 'x'.repeat(1_000_000)
    const writes = new Promise<void>(resolve => {
      server.faults.forge = ({ op }, honest) => {
        if (op === 'write') resolve()
        return [honest]
      }
    })
    const first = here.save(long, { limitMs: 60_000, signal: stop.signal })
    await writes
    stop.abort(new Error('stop'))
    await expect(first).rejects.toThrow(/stop/)
    await here.save('the second', patience)
    server.faults.delayMs = undefined
    expect(await here.load(never)).toBe('the second')
    expect(await readFile(join(root, NAME), 'utf8')).toBe('the second')
    expect(await readdir(root)).toEqual([NAME])
  })

  test.each([NAME, TEMPORARY, `${TEMPORARY}.old`])('is never taken for a part file: %s', name => {
    expect(targetOfPart(name)).toBeUndefined()
  })
})
