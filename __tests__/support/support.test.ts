import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import ssh2, { type ConnectConfig, type SFTPWrapper } from 'ssh2'
import { sha256File, writeArtifact, writeTree } from './artifact.js'
import { startCacheService, type CacheService } from './cache-service.mjs'
import { holdingAtMost } from './held-memory.js'
import { startLink } from './link.mjs'
import { createRunner } from './runner.mjs'
import { needlesOfKey, needlesOfText } from './secret-needles.js'
import { generateKeyPair, startSftpServer, type SftpServerOptions } from './sftp-server.mjs'
import { describeWithSshd, startSshd } from './sshd.js'
import { watchProcesses } from './started-processes.js'

const chunk = 31_744
const mebibyte = 1024 * 1024
const run = promisify(execFile)

let directory: string
const closing: (() => unknown)[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'support-'))
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await rm(directory, { recursive: true, force: true })
})

/** Closes it after the test, last first. */
function closeLater<T extends { close(): unknown }>(opened: T): T {
  closing.push(() => opened.close())
  return opened
}

async function openServer(options: Partial<SftpServerOptions> = {}) {
  const root = join(directory, 'remote')
  await mkdir(root, { recursive: true })
  return closeLater(await startSftpServer({ root, ...options }))
}

const login = { username: 'deploy', password: 'secret' }

async function openSession(config: ConnectConfig, answers: string[] = []) {
  const client = new ssh2.Client()
  client.on('keyboard-interactive', (_name, _instructions, _language, _prompts, finish) => finish(answers))
  closing.push(() => client.destroy())
  const closed = new Promise<void>(resolve => client.once('close', resolve))
  const failed = new Promise<Error>(resolve => client.on('error', resolve))
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.once('ready', () => client.sftp((error, opened) => (error ? reject(error) : resolve(opened))))
    void failed.then(reject)
    void closed.then(() => reject(new Error('closed before it was ready')))
    client.connect({ host: '127.0.0.1', hostVerifier: () => true, ...config })
  })
  return { client, sftp, closed, failed }
}

type Done<T> = (error: Error | null | undefined, value: T) => void

function ask<T = void>(request: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => request((error, value) => (error ? reject(error) : resolve(value))))
}

/** Writes everything with all requests in flight; `acknowledged` has the offsets in the order of the answers. */
async function upload(sftp: SFTPWrapper, path: string, bytes: Buffer, acknowledged: number[] = []) {
  const handle = await ask<Buffer>(done => sftp.open(path, 'w', done))
  const writes: Promise<unknown>[] = []
  for (let offset = 0; offset < bytes.length; offset += chunk) {
    const length = Math.min(chunk, bytes.length - offset)
    const write = ask(done => sftp.write(handle, bytes, offset, length, offset, done))
    writes.push(write.then(() => acknowledged.push(offset)))
  }
  const results = await Promise.allSettled(writes)
  const failed = results.find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  await ask(done => sftp.close(handle, done))
}

async function makeBytes(size: number, seed = 1) {
  const path = join(directory, `artifact-${seed}`)
  await writeArtifact(path, size, seed)
  return readFile(path)
}

describe('artifact', () => {
  test('is the same for the same seed only, at any size', async () => {
    const path = (name: string) => join(directory, name)
    const first = await writeArtifact(path('first'), 3 * mebibyte + 1, 'a')
    const again = await writeArtifact(path('again'), 3 * mebibyte + 1, 'a')
    const other = await writeArtifact(path('other'), 3 * mebibyte + 1, 'b')
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
    expect(await sha256File(path('first'))).toBe(first.sha256)
    expect((await stat(path('first'))).size).toBe(3 * mebibyte + 1)
  })

  test('trees have content and artifacts', async () => {
    await writeTree(directory, { 'a/b.txt': 'text', 'a/c.bin': 70_000 })
    expect(await readFile(join(directory, 'a/b.txt'), 'utf8')).toBe('text')
    expect((await stat(join(directory, 'a/c.bin'))).size).toBe(70_000)
  })
})

describe('cache service', () => {
  let service: CacheService

  beforeEach(async () => {
    service = closeLater(await startCacheService())
  })

  /** The real client in a process of its own; `expression` is what it does, its JSON value comes back. */
  const runClient = async (expression: string): Promise<unknown> => {
    const client = pathToFileURL(join(process.cwd(), 'node_modules/@actions/cache/lib/cache.js')).href
    const script = `
      import { writeFileSync } from 'node:fs'
      import { restoreCache, saveCache } from '${client}'
      writeFileSync('value.json', JSON.stringify({ value: await ${expression} }))`
    const environment = {
      PATH: process.env.PATH,
      ACTIONS_RESULTS_URL: service.url,
      ACTIONS_CACHE_SERVICE_V2: 'True',
      ACTIONS_RUNTIME_TOKEN: 'x',
      RUNNER_TEMP: directory,
      GITHUB_WORKSPACE: directory
    }
    await run(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: directory,
      env: environment
    })
    const { value } = JSON.parse(await readFile(join(directory, 'value.json'), 'utf8')) as { value?: unknown }
    return value
  }
  const meta = () => join(directory, '.upload.meta')
  const save = async (key: string, text: string) => {
    await writeFile(meta(), text)
    return runClient(`saveCache(['.upload.meta'], '${key}')`)
  }
  const restore = async (key: string, prefixes: string[] = []) => {
    await rm(meta(), { force: true })
    const matched = await runClient(`restoreCache(['.upload.meta'], '${key}', ${JSON.stringify(prefixes)})`)
    return matched === undefined ? undefined : { matched, text: await readFile(meta(), 'utf8') }
  }

  test('gives the newest entry of a prefix, the exact key first', async () => {
    await save('p-1-x', 'old')
    await save('p-1-b', 'new')
    await save('p-2-a', 'another run')
    expect(await restore('p-1-none', ['p-1-'])).toEqual({ matched: 'p-1-b', text: 'new' })
    expect(await restore('p-1-x', ['p-1-'])).toEqual({ matched: 'p-1-x', text: 'old' })
    expect(await restore('q', ['r-', 'p-2-'])).toEqual({ matched: 'p-2-a', text: 'another run' })
    expect(await restore('q')).toBeUndefined()
  })

  test('never changes an entry', async () => {
    await save('key', 'first')
    expect(await save('key', 'second')).toBe(-1)
    expect(await restore('key')).toEqual({ matched: 'key', text: 'first' })
    expect(service.entries).toHaveLength(1)
  })

  test('serves bytes that a test replaced', async () => {
    await save('good', 'good')
    await save('poison', 'poison')
    const [good, poison] = service.entries
    if (good === undefined || poison === undefined) throw new Error('two entries expected')
    good.bytes = poison.bytes
    expect(await restore('good')).toEqual({ matched: 'good', text: 'poison' })
  })

  test('takes an archive in blocks, in the order of the list', async () => {
    const call = async (method: string, request: object) => {
      const response = await fetch(
        `${service.url}twirp/github.actions.results.api.v1.CacheService/${method}`,
        {
          method: 'POST',
          headers: { authorization: 'Bearer x' },
          body: JSON.stringify(request)
        }
      )
      return (await response.json()) as Record<string, string>
    }
    const identity = { key: 'large', version: 'v' }
    const { signed_upload_url: url } = await call('CreateCacheEntry', identity)
    const put = (query: string, body: string) => fetch(`${url ?? ''}&comp=${query}`, { method: 'PUT', body })
    await put('block&blockid=b', 'second')
    await put('block&blockid=a', 'first ')
    expect(
      (await put('blocklist', '<BlockList><Latest>a</Latest><Latest>b</Latest></BlockList>')).status
    ).toBe(201)
    await call('FinalizeCacheEntryUpload', { ...identity, size_bytes: '12' })
    const { signed_download_url: download } = await call('GetCacheEntryDownloadURL', identity)
    expect(await (await fetch(download ?? '')).text()).toBe('first second')
  })

  test('refuses with the status a test asks for, and only where it asks', async () => {
    service.faults.status = 403
    service.faults.methods = ['CreateCacheEntry']
    expect(await save('key', 'text')).toBe(-1)
    service.faults.status = undefined
    expect(await save('key', 'text')).toBeGreaterThan(0)
    service.faults.status = 429
    expect(await restore('key')).toEqual({ matched: 'key', text: 'text' })
  })

  test('can stay silent until it is closed', async () => {
    service.faults.silent = true
    const call = fetch(`${service.url}twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry`, {
      method: 'POST',
      body: '{"key":"k","version":"v"}'
    })
    const failure = expect(call).rejects.toThrow()
    while (service.requests.length === 0) await new Promise(resolve => setImmediate(resolve))
    await service.close()
    await failure
  })
})

describe('SFTP server', () => {
  test('stores what is sent, through a link', async () => {
    const server = await openServer()
    const link = closeLater(await startLink({ port: server.port }))
    const { sftp } = await openSession({ ...login, port: link.port })
    const bytes = await makeBytes(4 * mebibyte + 7)
    await upload(sftp, 'app.zip', bytes)
    expect((await readFile(join(directory, 'remote/app.zip'))).equals(bytes)).toBe(true)

    await ask(done => sftp.fastGet('/app.zip', join(directory, 'back'), done))
    expect((await readFile(join(directory, 'back'))).equals(bytes)).toBe(true)
    expect(server.stats.bytesWritten).toBe(bytes.length)
    expect(link.sent).toBeGreaterThan(bytes.length)
    expect(link.connections).toBe(1)
  })

  test('does what an uploader needs', async () => {
    const server = await openServer()
    const { sftp } = await openSession({ ...login, port: server.port })
    await ask(done => sftp.mkdir('dist', done))
    await upload(sftp, 'dist/part', Buffer.from('0123456789'))

    const handle = await ask<Buffer>(done => sftp.open('dist/part', 0x02, done))
    await ask(done => sftp.write(handle, Buffer.from('abc'), 0, 3, 7, done))
    await ask(done => sftp.ext_openssh_fsync(handle, done))
    expect((await ask<{ size: number }>(done => sftp.fstat(handle, done))).size).toBe(10)
    await ask(done => sftp.fsetstat(handle, { mtime: 1000, atime: 1000, mode: 0o600 }, done))
    await ask(done => sftp.close(handle, done))

    const stats = await ask<{ mtime: number; mode: number }>(done => sftp.lstat('/dist/part', done))
    expect(stats.mtime).toBe(1000)
    expect(stats.mode & 0o777).toBe(0o600)
    await upload(sftp, 'dist/final', Buffer.from('old'))
    await expect(ask(done => sftp.rename('dist/part', 'dist/final', done))).rejects.toMatchObject({ code: 4 })
    await ask(done => sftp.ext_openssh_rename('dist/part', 'dist/final', done))
    expect(await readFile(join(directory, 'remote/dist/final'), 'utf8')).toBe('0123456abc')
    expect(
      (await ask<{ filename: string }[]>(done => sftp.readdir('dist', done))).map(e => e.filename)
    ).toEqual(['final'])
    expect(await ask<string>(done => sftp.realpath('dist/../dist', done))).toBe('/dist')
    await expect(ask<unknown>(done => sftp.stat('../../none', done))).rejects.toMatchObject({ code: 2 })
    await ask(done => sftp.unlink('/dist/final', done))
    await ask(done => sftp.rmdir('/dist', done))
    expect(await readdir(join(directory, 'remote'))).toEqual([])
    expect(server.stats.requests).toMatchObject({ rename: 1, posixRename: 1, remove: 1, fsync: 1, mkdir: 1 })
  })

  test('takes passwords, keys and answers, and records who tried', async () => {
    const key = generateKeyPair()
    const server = await openServer({
      users: [
        { username: 'deploy', password: 'secret', publicKeys: [key.public], keyboardInteractive: ['42'] }
      ]
    })
    await openSession({ port: server.port, username: 'deploy', privateKey: key.private })
    await openSession({ port: server.port, username: 'deploy', tryKeyboard: true }, ['42'])
    await expect(openSession({ port: server.port, username: 'deploy', password: 'wrong' })).rejects.toThrow(
      /auth/
    )
    await expect(openSession({ port: server.port, username: 'nobody', password: 'secret' })).rejects.toThrow(
      /auth/
    )
    expect(server.logins.filter(({ method }) => method !== 'none')).toEqual([
      { method: 'publickey', username: 'deploy', accepted: true },
      { method: 'keyboard-interactive', username: 'deploy', accepted: true },
      { method: 'password', username: 'deploy', accepted: false },
      { method: 'password', username: 'nobody', accepted: false }
    ])
  })

  test('cuts the connection after exactly the bytes asked for', async () => {
    const server = await openServer({ faults: { cutAfterBytes: 100_001 } })
    const { sftp, closed } = await openSession({ ...login, port: server.port })
    const bytes = await makeBytes(mebibyte)
    await expect(upload(sftp, 'app.zip', bytes)).rejects.toThrow()
    await closed
    expect((await readFile(join(directory, 'remote/app.zip'))).equals(bytes.subarray(0, 100_001))).toBe(true)
    expect(server.faults.cutAfterBytes).toBeUndefined()
  })

  test('answers out of order, refuses, truncates', async () => {
    const server = await openServer({ faults: { reorderAcks: true } })
    const { sftp } = await openSession({ ...login, port: server.port })
    const bytes = await makeBytes(mebibyte)
    const acknowledged: number[] = []
    await upload(sftp, 'app.zip', bytes, acknowledged)
    expect(acknowledged).not.toEqual([...acknowledged].sort((a, b) => a - b))
    expect((await readFile(join(directory, 'remote/app.zip'))).equals(bytes)).toBe(true)

    server.faults.refuse = { reopen: 8, rename: 3 }
    await expect(ask<Buffer>(done => sftp.open('app.zip', 0x02, done))).rejects.toMatchObject({ code: 8 })
    await expect(ask(done => sftp.rename('app.zip', 'b', done))).rejects.toMatchObject({
      code: 3
    })
    server.faults.refuse = undefined
    server.faults.truncateOnReopen = true
    await ask<Buffer>(done => sftp.open('app.zip', 0x02, done))
    expect((await stat(join(directory, 'remote/app.zip'))).size).toBe(0)
  })

  test('falls silent, and advertises only what it is told to', async () => {
    const server = await openServer({ extensions: [], faults: { silentAfterBytes: chunk } })
    const { client, sftp } = await openSession({ ...login, port: server.port })
    expect(() => sftp.ext_openssh_rename('a', 'b', () => undefined)).toThrow(/does not support/)
    const handle = await ask<Buffer>(done => sftp.open('app.zip', 'w', done))
    await ask(done => sftp.write(handle, Buffer.alloc(chunk), 0, chunk, 0, done))
    const unanswered = ask(done => sftp.close(handle, done))
    client.end()
    await expect(unanswered).rejects.toThrow('No response from server')
    expect(server.stats.requests.close).toBeUndefined()
  })

  test('limits connections', async () => {
    const server = await openServer({ faults: { maxConnections: 1 } })
    await openSession({ ...login, port: server.port })
    await expect(openSession({ ...login, port: server.port })).rejects.toThrow()
    expect(server.connections).toBe(2)
  })

  test('takes what OpenSSH sends', async () => {
    const key = generateKeyPair()
    const server = await openServer({ users: [{ username: 'deploy', publicKeys: [key.public] }] })
    const { sha256 } = await writeArtifact(join(directory, 'artifact'), 8 * mebibyte, 2)
    await writeFile(join(directory, 'key'), key.private, { mode: 0o600 })
    await writeFile(join(directory, 'known_hosts'), server.knownHosts)
    await writeFile(join(directory, 'batch'), 'put artifact\nrename artifact final\nls -l\n')
    const options = [
      'UserKnownHostsFile=known_hosts',
      'IdentityFile=key',
      'IdentitiesOnly=yes',
      'BatchMode=yes'
    ]
    await run(
      'sftp',
      [
        ...options.flatMap(option => ['-o', option]),
        '-P',
        String(server.port),
        '-b',
        'batch',
        'deploy@127.0.0.1'
      ],
      { cwd: directory }
    )
    expect(await sha256File(join(directory, 'remote/final'))).toBe(sha256)
  })
})

describe('link', () => {
  test('resets every connection after the bytes asked for', async () => {
    const server = await openServer()
    const link = closeLater(await startLink({ port: server.port }))
    const { sftp, failed } = await openSession({ ...login, port: link.port })
    const before = link.sent
    const cut = link.cutAfter(500_000)
    await expect(upload(sftp, 'app.zip', await makeBytes(2 * mebibyte))).rejects.toThrow()
    await cut
    expect(link.sent - before).toBe(500_000)
    expect(await failed).toMatchObject({ code: 'ECONNRESET' })
    expect(server.stats.bytesWritten).toBeLessThan(500_000)
  })

  test('holds everything in the dark, and hands it on', async () => {
    const server = await openServer()
    const link = closeLater(await startLink({ port: server.port }))
    const { sftp } = await openSession({ ...login, port: link.port })
    link.pause()
    const before = link.sent
    const bytes = await makeBytes(mebibyte)
    const uploading = upload(sftp, 'app.zip', bytes)
    const later = openSession({ ...login, port: link.port })
    while (link.connections < 2) await new Promise(resolve => setImmediate(resolve))
    expect(link.sent).toBe(before)
    link.resume()
    await uploading
    await later
    expect((await readFile(join(directory, 'remote/app.zip'))).equals(bytes)).toBe(true)
  })

  test('keeps to its rate and adds its delay', async () => {
    const server = await openServer()
    const link = closeLater(await startLink({ port: server.port }))
    const { sftp } = await openSession({ ...login, port: link.port })
    link.bytesPerSecond = 2 * mebibyte
    const started = performance.now()
    await upload(sftp, 'app.zip', await makeBytes(mebibyte))
    const elapsed = performance.now() - started
    expect(elapsed).toBeGreaterThan(400)
    expect(elapsed).toBeLessThan(2000)
    link.bytesPerSecond = undefined
    link.delayMs = 50
    const asked = performance.now()
    await ask<unknown>(done => sftp.stat('/', done))
    expect(performance.now() - asked).toBeGreaterThanOrEqual(100)
  })

  test('refuses when told to, and says when bytes have gone', async () => {
    const server = await openServer()
    const link = closeLater(await startLink({ port: server.port }))
    link.refuse = true
    await expect(openSession({ ...login, port: link.port })).rejects.toThrow()
    link.refuse = false
    const sent = link.waitFor(100)
    await openSession({ ...login, port: link.port })
    await sent
    expect(server.connections).toBe(1)
  })
})

describe('runner', () => {
  const actionYml = `name: fixture
inputs:
  host:
    description: 'a host: with a colon'
    required: true
  private-key:
    description: a key
  empty choice:
    default: 'it''s # fine'
runs:
  using: node24
  main: dist/index.js
  post: dist/index.js
`
  const script = `
    import { appendFileSync } from 'node:fs'
    const { env } = process
    if (env.STATE_started === undefined) {
      appendFileSync(env.GITHUB_STATE, 'started<<E\\ntwo\\nlines\\nE\\n')
      appendFileSync(env.GITHUB_OUTPUT, 'path=' + process.cwd() + '\\n')
      appendFileSync(env.GITHUB_STEP_SUMMARY, '# done')
      console.log('before hunter2')
      console.log('::add-mask::hunter2%0Asecond')
      console.log('after hunter2, second', JSON.stringify([env['INPUT_PRIVATE-KEY'], env.INPUT_EMPTY_CHOICE, env.INPUT_HOST]))
      process.on('SIGINT', () => process.exit(3))
      console.log('ready')
      if (env.INPUT_HOST === 'wait') setInterval(() => {}, 1000)
    } else console.log('post', env.STATE_started, env.INPUT_HOST, env.UNKNOWN)
  `

  async function openRunner(layout?: string) {
    await writeTree(directory, {
      'action.yml': actionYml,
      'dist/index.js': script,
      'dist/package.json': '{"type":"module"}'
    })
    const options = { actionPath: directory, cacheUrl: 'http://127.0.0.1:9/' }
    const runner = await createRunner(layout === undefined ? options : { ...options, layout })
    closing.push(() => runner.cleanup())
    return runner
  }

  test('runs main and post with inputs, state, outputs and masks', async () => {
    const runner = await openRunner()
    const { main, post } = await runner.run({ host: 'example.org' })
    expect(main).toMatchObject({
      exitCode: 0,
      signal: null,
      outputs: { path: runner.workspace },
      state: { started: 'two\nlines' },
      summary: '# done',
      masks: ['hunter2\nsecond', 'hunter2', 'second']
    })
    expect(main.log.split('\n')).toEqual([
      'before hunter2',
      '::add-mask::***',
      'after ***, *** ["","it\'s # fine","example.org"]',
      'ready'
    ])
    expect(post?.log).toBe('post two\nlines example.org undefined')
    if (process.platform === 'linux') expect(main.peakRssBytes).toBeGreaterThan(mebibyte)
    await expect(runner.startMain({ nonsense: '1' })).rejects.toThrow('nonsense')
  })

  test('cancels, and runs post after a kill', async () => {
    const runner = await openRunner('another')
    const cancelled = await runner.startMain({ host: 'wait' })
    await cancelled.waitForLine(/^ready/)
    expect(await cancelled.cancel()).toMatchObject({ exitCode: 3, signal: null })
    const killed = await runner.startMain({ host: 'wait' })
    await killed.waitForLine(/^ready/)
    killed.kill('SIGKILL')
    expect(await killed.done).toMatchObject({
      exitCode: null,
      signal: 'SIGKILL',
      state: { started: 'two\nlines' }
    })
    expect((await runner.runPost()).log).toBe('post two\nlines wait undefined')
  })
})

test('watchProcesses notes what is started, however short it lives, and what that starts', async () => {
  const program = join(directory, 'start.mjs')
  const script = `
    import { exec, execFileSync, execSync, fork, spawn, spawnSync } from 'node:child_process'
    const node = process.execPath
    spawn(node, ['-e', '0', 'by-spawn.'], { env: { NAME: 'of-spawn.' } })
    exec('echo by-exec.')
    spawnSync(node, ['-e', '0', 'by-spawn-sync.'], { env: { NAME: 'of-spawn-sync.' } })
    execFileSync(node, ['-e', '0', 'by-exec-file-sync.'])
    execSync('echo by-exec-sync.')
    if (!process.argv.includes('by-fork.')) fork(process.argv[1], ['by-fork.'])
  `
  await writeFile(program, script)
  const { environment, noted } = closeLater(await watchProcesses())
  await run(process.execPath, [program, 'given.'], { env: { ...process.env, ...environment } })
  const notes = await noted()
  expect(notes).toContain('given.')
  const started = ['by-spawn.', 'of-spawn.', 'by-exec.', 'by-spawn-sync.', 'of-spawn-sync.']
  for (const text of [...started, 'by-exec-file-sync.', 'by-exec-sync.', 'by-fork.'])
    expect([text, notes.split(text).length > 2]).toEqual([text, true])
})

describeWithSshd('sshd', () => {
  test('accepts its keys and comes back after a restart', async () => {
    const sshd = closeLater(await startSshd())
    const server = { port: sshd.port, username: sshd.username }
    const { client, sftp, closed } = await openSession({ ...server, privateKey: sshd.privateKey })
    await upload(sftp, `${sshd.root}/app.zip`, await makeBytes(mebibyte))
    expect(await readFile(join(sshd.root, 'app.zip'))).toHaveLength(mebibyte)
    expect((await sshd.pids()).sessions.length).toBeGreaterThan(0)
    expect(sshd.log()).toContain('Accepted publickey')

    await sshd.restart()
    await closed
    client.destroy()
    const { encryptedKey, passphrase } = sshd
    await openSession({ ...server, privateKey: encryptedKey, passphrase })
  })

  test('takes options and the external, read-only sftp-server', async () => {
    const sshd = closeLater(
      await startSshd({ options: ['MaxSessions 1'], sftp: 'external', sftpArguments: '-R' })
    )
    const { client, sftp } = await openSession({
      port: sshd.port,
      username: sshd.username,
      privateKey: sshd.privateKey
    })
    await expect(upload(sftp, `${sshd.root}/app.zip`, Buffer.alloc(1))).rejects.toMatchObject({ code: 3 })
    await expect(ask<unknown>(done => client.sftp(done))).rejects.toThrow()
  })
})

describe('memory that is held', () => {
  const most = 8 * mebibyte

  test.each<[string, () => object]>([
    ['on the heap', () => Array.from({ length: most / 16 }, (_, index) => ({ index }))],
    ['beside it', () => Buffer.alloc(2 * most)]
  ])('%s is told of before the work ends', async (_where, take) => {
    const kept = new Set<object>()
    const held = holdingAtMost(most, () => new Promise<never>(() => void kept.add(take())))
    await expect(held).rejects.toThrow(/bytes are held beyond those before/)
    expect(kept.size).toBe(1)
  })

  test('is told of work that is done at once, too', async () => {
    await expect(holdingAtMost(most, () => Promise.resolve(Buffer.alloc(2 * most)))).rejects.toThrow(/held/)
  })

  test('is not what was garbage in the end', async () => {
    const work = async () => {
      let bytes = 0
      for (let index = 0; index < 16; index++) bytes += (await Promise.resolve(Buffer.alloc(most / 4))).length
      return bytes
    }
    expect(await holdingAtMost(most, work)).toBe(4 * most)
  })
})

describe('needles of a text', () => {
  function isFound(secret: string, told: string): boolean {
    const needles = [...needlesOfText('a text', secret).values()]
    return needles.some(needle => `what comes before: ${told}, and after`.includes(needle))
  }

  test.each<[string, (text: string) => string]>([
    ['as it is', text => text],
    ['in JSON', text => JSON.stringify({ text })],
    ['in a URL', encodeURIComponent],
    ['in hexadecimal', text => Buffer.from(text).toString('hex')],
    ['in base64', text => Buffer.from(text).toString('base64')],
    ['in base64, one byte later', text => Buffer.from(`:${text}:`).toString('base64')],
    ['in base64, two bytes later', text => Buffer.from(`::${text}::`).toString('base64')]
  ])('are found where it is told %s', (_how, tell) => {
    expect(isFound('no "long" word: %', tell('no "long" word: %'))).toBe(true)
  })

  test('are found where it is escaped in another way, by its words', () => {
    expect(isFound('pa$$ "48151623"', 'pa\\$\\$ ^"48151623^"')).toBe(true)
  })

  test('are not found where another one is told', () => {
    expect(isFound('pa$$ "48151623"', 'pa$$ "48151624"')).toBe(false)
  })
})

test('needles of a key are the lines of its own, and none that every key has', () => {
  const lines = generateKeyPair().private.trim().split('\n').slice(1, -1)
  const needles = needlesOfKey('a key', ['-----BEGIN KEY-----', ...lines, '-----END KEY-----'].join('\n'))
  expect([...needles.values()]).toEqual(lines.filter(line => line.length >= 8))
})

test('properties play the same cases each time, unless the environment says otherwise', () => {
  expect(fc.readConfigureGlobal()).toMatchObject({ seed: Number(process.env.PROPERTY_SEED ?? 1) })
})
