import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readEntry, rewriteEntry } from '../support/cache-service-archive.js'
import type { CacheFaults } from '../support/cache-service.mjs'
import type { Environment, Inputs } from '../support/runner.mjs'
import {
  buildArtifact,
  type JobStep,
  makeDirectory,
  mebibyte,
  numberOf,
  stateFiles,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(90_000)

const size = 4 * mebibyte + 12_345
const allowedDelayMs = 10_000
/** A later attempt waits longer for what it very probably finds. */
const allowedDelayLaterMs = 25_000
/** There the cache has another protocol, and an address of its own. */
const onOwnServer = { GITHUB_SERVER_URL: 'https://github.example.org' }

describeWithSshd('trouble with the cache', () => {
  const site = useSite()
  let usualMs = 0

  const timeOf = ({ main, post }: JobStep) => main.durationMs + (post?.durationMs ?? 0)

  interface Attempt {
    readonly attempt?: number
    readonly withCache?: boolean
    readonly inputs?: Inputs
    readonly env?: Environment
  }

  /** Uploads, which must succeed. */
  async function upload({ attempt = 1, withCache = true, inputs = {}, env = {} }: Attempt): Promise<JobStep> {
    const machine = await site.machine({ attempt, withCache })
    const directory = await buildArtifact(machine, size)
    const run = await machine.run(site.inputs(inputs), env)
    expect([run.main.exitCode, run.post?.exitCode]).toEqual([0, 0])
    expect(run.main.outputs.state).toBe('complete')
    const uploaded = await readFile(join(site.target, 'app.bin'))
    expect(uploaded.equals(await readFile(join(directory, 'app.bin')))).toBe(true)
    return run
  }

  function expectOneWarning({ main, post }: JobStep): string {
    const warnings = warningsOf(main, post)
    expect(warnings).toHaveLength(1)
    expect(main.log).not.toMatch(/^::error/m)
    return warnings[0] ?? ''
  }

  function expectOneWarningInTime(run: JobStep, delayMs = allowedDelayMs): string {
    const warning = expectOneWarning(run)
    expect(timeOf(run)).toBeLessThan(usualMs + delayMs)
    return warning
  }

  test('is none when the service is well', async () => {
    const run = await upload({})
    usualMs = timeOf(run)
    expect(warningsOf(run.main, run.post)).toEqual([])
    expect(site.cache.entries.length).toBeGreaterThan(0)
  })

  test.each<[string, Attempt]>([
    ['service', { withCache: false }],
    ['token', { env: { ACTIONS_RUNTIME_TOKEN: undefined } }],
    ['service of a GitHub Enterprise Server', { env: onOwnServer }]
  ])('no %s in the environment is one line, and the server stands in', async (_what, attempt) => {
    const { main, post } = await upload(attempt)
    expect(warningsOf(main, post)).toEqual([])
    expect(
      main.log.match(/There is no Actions cache here: .* kept on the server, in .*upload\.meta/g)
    ).toHaveLength(1)
    expect(main.summary).toContain('A re-run skips')
    expect(await stateFiles(site.target)).toHaveLength(1)
  })

  test('no right to write in the environment is one line, and the server stands in', async () => {
    const { main, post } = await upload({ env: { ACTIONS_CACHE_MODE: 'read' } })
    expect(warningsOf(main, post)).toEqual([])
    expect(main.log.match(/kept on the server, in .*upload\.meta/g)).toHaveLength(1)
    expect(await stateFiles(site.target)).toHaveLength(1)
  })

  test('and with the server, too: no re-run is promised to know of this upload', async () => {
    await upload({ withCache: false })
    const [state = ''] = await stateFiles(site.target)
    await rm(state)
    await makeDirectory(state, 'in its place')
    const run = await upload({ withCache: false })
    expect(expectOneWarningInTime(run)).toMatch(/no Actions cache.*the server does not/)
    for (const text of [run.main.log, run.main.summary]) {
      expect(text).toContain('A re-run starts from zero')
      expect(text).not.toMatch(/re-run (?:skips|continues)/)
    }
  })

  test('none with state: none, whatever the service does', async () => {
    site.cache.faults.silent = true
    const { main, post } = await upload({ inputs: { state: 'none' } })
    expect(warningsOf(main, post)).toEqual([])
    expect(site.cache.requests).toEqual([])
  })

  test('a service that is down: one warning, and little delay', async () => {
    await site.cache.close()
    expect(expectOneWarningInTime(await upload({}))).toMatch(/cache.*ECONNREFUSED/i)
  })

  test('a service of a GitHub Enterprise Server that refuses', async () => {
    const env = { ...onOwnServer, ACTIONS_CACHE_URL: `${site.cache.url}/` }
    expectOneWarningInTime(await upload({ env }))
    expect(site.cache.entries).toEqual([])
    expect(await stateFiles(site.target)).toHaveLength(1)
  })

  test('a service in the dark, which does not even take the connection', async () => {
    const env = { ACTIONS_RESULTS_URL: 'http://192.0.2.1/' }
    expectOneWarningInTime(await upload({ env }))
  })

  test.each<[string, CacheFaults]>([
    ['silence', { silent: true }],
    ['401', { status: 401 }],
    ['403', { status: 403 }],
    ['409', { status: 409 }],
    ['429', { status: 429 }],
    ['500', { status: 500 }],
    ['503', { status: 503 }],
    ['a web page', { html: true }],
    ['a web page with status 502', { html: true, status: 502 }],
    ['silence when saving', { silent: true, methods: ['CreateCacheEntry'] }],
    ['silence of the storage', { silent: true, methods: ['PUT blob'] }],
    ['silence after the storage', { silent: true, methods: ['FinalizeCacheEntryUpload'] }],
    ['409 when saving', { status: 409, methods: ['CreateCacheEntry'] }],
    ['403 of the storage', { blobStatus: 403 }],
    ['500 of the storage', { blobStatus: 500 }]
  ])('%s: one warning, and little delay', async (_name, faults) => {
    Object.assign(site.cache.faults, faults)
    const run = await upload({})
    expect(site.cache.entries).toEqual([])
    expectOneWarningInTime(run)
  })

  test('silence at every checkpoint: one warning, and little delay', async () => {
    site.link.bytesPerSecond = mebibyte
    const well = await upload({ inputs: { 'checkpoint-interval': '1' } })
    site.cache.faults.silent = true
    const run = await upload({
      inputs: { 'checkpoint-interval': '1', 'remote-path': `${site.target}/again` }
    })
    expectOneWarning(run)
    expect(timeOf(run)).toBeLessThan(timeOf(well) + allowedDelayMs)
  })

  test('at a checkpoint: the server stands in, and the next attempt finds the state there', async () => {
    site.cache.faults.status = 403
    site.link.bytesPerSecond = mebibyte
    const machine = await site.machine()
    await buildArtifact(machine, size)
    const phase = await machine.startMain(site.inputs({ 'checkpoint-interval': '1' }))
    await phase.waitForLine(/^::warning/)
    site.cache.faults.status = undefined
    const main = await phase.done
    expectOneWarning({ main, post: await machine.runPost() })
    expect(site.cache.entries).toEqual([])

    const again = await upload({ attempt: 2 })
    expect(warningsOf(again.main, again.post)).toEqual([])
    expect(again.main.outputs['skipped-count']).toBe('1')
  })

  describe('with what an interrupted attempt left', () => {
    beforeEach(async () => {
      const machine = await site.machine()
      await buildArtifact(machine, size)
      site.link.bytesPerSecond = 16 * mebibyte
      await site.runAndCut(machine, 3.5 * mebibyte)
      site.link.bytesPerSecond = undefined
      expect(site.cache.entries).toHaveLength(1)
    })

    function entry() {
      const [first] = site.cache.entries
      if (first === undefined) throw new Error('the cache has no entry')
      return first
    }

    test('none: it is continued', async () => {
      const { main, post } = await upload({ attempt: 2 })
      expect(warningsOf(main, post)).toEqual([])
      expect(numberOf(main, 'reused-bytes')).toBeGreaterThan(0)
    })

    test('a service that is well after two answers of 503: it is continued', async () => {
      Object.assign(site.cache.faults, { status: 503, times: 2 })
      const { main, post } = await upload({ attempt: 2 })
      expect(warningsOf(main, post)).toEqual([])
      expect(numberOf(main, 'reused-bytes')).toBeGreaterThan(0)
    })

    test('503 and nothing else: one warning that it cannot be read, before anything is sent', async () => {
      site.cache.faults.status = 503
      const run = await upload({ attempt: 2 })
      expect(expectOneWarningInTime(run, allowedDelayLaterMs)).toMatch(
        /^What earlier attempts left cannot be read \(the Actions cache cannot be used \(restore: /
      )
      expect(run.main.log).toMatch(/^::warning::What earlier[^]*no earlier upload is known/m)
      expect(run.main.outputs['reused-bytes']).toBe('0')
    })

    test('an archive without it: one warning, and a full upload', async () => {
      await rewriteEntry(entry(), meta => meta, 'something-else')
      const run = await upload({ attempt: 2 })
      expect(expectOneWarningInTime(run)).toMatch(/cannot be read \(.*the entry has no \.upload\.meta/)
      expect(run.main.outputs['reused-bytes']).toBe('0')
    })

    test.each<[string, CacheFaults]>([
      ['silence', { silent: true, methods: ['GET blob'] }],
      ['403', { blobStatus: 403, methods: ['GET blob'] }],
      ['404', { blobStatus: 404, methods: ['GET blob'] }],
      ['500', { blobStatus: 500, methods: ['GET blob'] }]
    ])('%s instead of the archive: one warning, and a full upload', async (_name, faults) => {
      Object.assign(site.cache.faults, faults)
      const run = await upload({ attempt: 2 })
      expectOneWarningInTime(run, allowedDelayLaterMs)
      expect(run.main.outputs).toMatchObject({ 'reused-bytes': '0', 'sent-bytes': String(size) })
    })

    const payloadOf = (meta: string) => JSON.parse(meta) as { payload: string }

    test.each<[string, (meta: string) => string]>([
      ['a changed digest', meta => meta.replace(/digests\\":\[\\"./, start => `${start.slice(0, -1)}!`)],
      [
        'more blocks than were sent',
        meta =>
          JSON.stringify({
            ...payloadOf(meta),
            payload: payloadOf(meta).payload.replace(/"blocks":"[^"]*"/, '"blocks":"0-4"')
          })
      ],
      ['a seal of another login', meta => meta.replace(/"seal":"[^"]{6}/, '"seal":"AAAAAA')],
      ['another version', meta => meta.replace('"version":1', '"version":2')],
      ['text that is no JSON', () => 'poison'],
      ['nothing', () => ''],
      ['zeros', () => '\0'.repeat(100_000)],
      ['null', () => 'null']
    ])('%s in .upload.meta: one warning, and a full upload', async (_name, change) => {
      const before = await readEntry(entry())
      await rewriteEntry(entry(), change)
      expect(await readEntry(entry())).not.toBe(before)
      const run = await upload({ attempt: 2 })
      expect(expectOneWarningInTime(run)).toMatch(/\.upload\.meta does not open/)
      expect(run.main.outputs).toMatchObject({ 'reused-bytes': '0', 'sent-bytes': String(size) })
    })

    test('bytes that are no archive: one warning, and a full upload', async () => {
      entry().bytes = Buffer.from('poison')
      const run = await upload({ attempt: 2 })
      expectOneWarningInTime(run)
      expect(run.main.outputs['reused-bytes']).toBe('0')
    })

    test('another login: it is left alone', async () => {
      const other = { key: site.sshd.encryptedKey, passphrase: site.sshd.passphrase }
      const { main, post } = await upload({ attempt: 2, inputs: other })
      expect(warningsOf(main, post)).toEqual([])
      expect(main.outputs['reused-bytes']).toBe('0')
    })
  })
})
