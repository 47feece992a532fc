import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { ServerSettings } from '../../../src/adapters/sftp/connect.js'
import { connect } from '../../../src/adapters/sftp/connect.js'
import type { UploadError } from '../../../src/core/errors.js'
import { artifactBytes, writeTree } from '../../support/artifact.js'
import { holdingAtMost } from '../../support/held-memory.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpFaults, type SftpServer } from '../../support/sftp-server.mjs'
import {
  formatAttributes,
  formatData,
  formatHandle,
  formatLimits,
  formatNames,
  formatStatus,
  formatVersion,
  type SftpRequest
} from '../../support/sftp-wire.mjs'
import { uploadOverWire, type WireOutcome } from '../../support/wire-upload.js'

const MIB = 1024 * 1024
const OLD = 'the old file'
/** Of memory, whatever a server says: what is in flight, a directory of the largest size, and as much again. */
const MOST_HELD = 80 * MIB
/** If it were kept, it would be far more than that. */
const FLOOD = 200 * MIB
/** Where silence is waited for. */
const SHORT = { stallTimeoutMs: 400 }
const never = new AbortController().signal
const stats = { size: 1, uid: 0, gid: 0, mode: 0o100644, atimeMs: 0, mtimeMs: 0 }

let base: string
let root: string
let local: string
let server: SftpServer

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'hostile-'))
  root = join(base, 'root')
  local = join(base, 'local')
  await writeTree(local, { 'large.bin': 3 * MIB, 'small.bin': 500 })
  await mkdir(join(root, 'site'), { recursive: true })
  for (const name of ['large.bin', 'small.bin']) await writeFile(join(root, 'site', name), OLD)
  server = await startSftpServer({ root })
})

afterEach(async () => {
  await server.close()
  await rm(base, { recursive: true })
})

type Forge = NonNullable<SftpFaults['forge']>

/** Other answers to requests of one kind, honest ones to the rest. */
function to(op: string, forge: (request: SftpRequest, honest: Buffer) => Iterable<Buffer>): Forge {
  return (request, honest) => (request.op === op ? forge(request, honest) : [honest])
}

function toStatOf(path: string, forge: (id: number) => Buffer): Forge {
  return to('stat', (request, honest) => [request.path === path ? forge(request.id) : honest])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** The same packet as the answer to another request. */
function withId(packet: Buffer, id: number): Buffer {
  return Buffer.concat([packet.subarray(0, 5), u32(id), packet.subarray(9)])
}

/** In little memory. */
async function uploadTo(
  forge: Forge | undefined,
  changes: Partial<ServerSettings> = {},
  retries = 0
): Promise<WireOutcome> {
  server.faults.forge = forge
  const settings = settingsFor(server, changes)
  return holdingAtMost(MOST_HELD, () => uploadOverWire({ settings, directory: local, retries }))
}

/** What is said to be in place is; what is not has left the old file alone; and nothing is where it must not be. */
async function expectHonest({ results }: WireOutcome): Promise<void> {
  for (const { file, status, error } of results) {
    const found = await readFile(join(root, file.remote))
    if (status === 'failed') {
      expect(error?.name).toBe('UploadError')
      expect(found.toString()).toBe(OLD)
    } else {
      expect(found.equals(await readFile(file.local))).toBe(true)
    }
  }
  const names = (await readdir(base, { recursive: true })).filter(name => !name.endsWith('.part')).sort()
  expect(names).toEqual([
    'local',
    'local/large.bin',
    'local/small.bin',
    'root',
    'root/site',
    'root/site/large.bin',
    'root/site/small.bin'
  ])
}

/** Codes and messages of failed files. */
function failuresOf({ results }: WireOutcome): string[] {
  return results.flatMap(({ error }) => (error === undefined ? [] : [`${error.code}: ${error.message}`]))
}

test('a server that is honest gets both files', async () => {
  const outcome = await uploadTo(undefined)
  expect(failuresOf(outcome)).toEqual([])
  await expectHonest(outcome)
})

describe('answers of another kind than asked for', () => {
  test.each<[string, Forge, RegExp]>([
    [
      'an open without a handle',
      to('open', ({ id }) => [formatStatus(id, 0)]),
      /^protocol: open .*\.part: .*found none/
    ],
    [
      'attributes for a handle',
      to('open', ({ id }) => [formatAttributes(id, stats)]),
      /^protocol: open .*found none/
    ],
    [
      'a handle of 200 KiB',
      to('open', ({ id }) => [formatHandle(id, Buffer.alloc(200 * 1024, 'x'))]),
      /^protocol: open .*at most 256 bytes, found one of 204800 bytes/
    ],
    [
      'an OK for attributes',
      toStatOf('site/large.bin', id => formatStatus(id, 0)),
      /^protocol: stat site.*without attributes/
    ],
    [
      'a handle for attributes',
      to('fstat', ({ id }) => [formatHandle(id, 'x')]),
      /^protocol: stat site.*without attributes/
    ],
    [
      'a list for attributes',
      toStatOf('site/large.bin', id => formatNames(id, [])),
      /^protocol: stat site.*without attributes/
    ]
  ])('%s: says so, without a retry', async (_, forge, message) => {
    const outcome = await uploadTo(forge, {}, 2)
    await expectHonest(outcome)
    const failures = failuresOf(outcome)
    expect(failures.length).toBeGreaterThan(0)
    for (const failure of failures) expect(failure).toMatch(message)
    expect(outcome.events.filter(({ type }) => type === 'retrying')).toEqual([])
  })

  test.each<[string, Forge]>([
    ['an OK for a directory', to('opendir', ({ id }) => [formatStatus(id, 0)])],
    ['attributes for a directory', to('opendir', ({ id }) => [formatAttributes(id, stats)])],
    ['an OK for a list', to('readdir', ({ id }) => [formatStatus(id, 0)])],
    ['a handle for a list', to('readdir', ({ id }) => [formatHandle(id, 'x')])],
    ['a list that is empty', to('readdir', ({ id }) => [formatNames(id, [])])],
    [
      'a list with a name that cannot be read',
      to('readdir', ({ id }) => [frame(104, u32(id), u32(1), u32(99), u32(0), u32(0))])
    ],
    ['an OK for free space', to('statvfs', ({ id }) => [formatStatus(id, 0)])]
  ])('%s: no file needs it', async (_, forge) => {
    const outcome = await uploadTo(forge)
    expect(failuresOf(outcome)).toEqual([])
    await expectHonest(outcome)
  })
})

function frame(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.of(type), ...parts])
  return Buffer.concat([u32(body.length), body])
}

describe('answers to nothing', () => {
  test('to requests that were never made change nothing', async () => {
    const forge: Forge = (request, honest) =>
      request.op === 'init'
        ? [honest]
        : [
            formatStatus(0xffff_ffff, 0),
            formatHandle(request.id + 1000, 'x'),
            formatData(0xffff_fff0, 'x'),
            formatNames(request.id + 1000, []),
            formatAttributes(request.id + 1000, stats),
            honest,
            honest,
            formatStatus(request.id, 4)
          ]
    const outcome = await uploadTo(forge)
    expect(failuresOf(outcome)).toEqual([])
    await expectHonest(outcome)
  })

  test.each(['open', 'write', 'fstat', 'close', 'posixRename'])(
    'in place of those to %s end the session by silence',
    async op => {
      const outcome = await uploadTo(
        to(op, ({ id }, honest) => [withId(honest, id + 0x1000_0000)]),
        SHORT
      )
      expect(failuresOf(outcome)).toEqual([
        expect.stringMatching(/^stalled: /),
        expect.stringMatching(/^stalled: /)
      ])
      if (op !== 'posixRename') await expectHonest(outcome)
    }
  )

  test('without end do not count as a sign of life', async () => {
    function* endless() {
      for (;;) yield formatStatus(0xffff_ffff, 0)
    }
    const outcome = await uploadTo(to('write', endless), SHORT)
    expect(failuresOf(outcome)[0]).toMatch(/^stalled: /)
    await expectHonest(outcome)
  })

  test('are not kept, however many and long they are', async () => {
    const text = 'x'.repeat(200_000)
    let sent = 0
    function* flood({ id }: SftpRequest, honest: Buffer) {
      for (; sent < FLOOD; sent += 3 * text.length) {
        yield formatStatus(0xffff_ffff, 4, text)
        yield formatHandle(id + 0x1000_0000, text)
        yield formatData(id + 0x2000_0000, text)
      }
      yield honest
    }
    const outcome = await uploadTo(to('open', flood))
    expect(sent).toBeGreaterThanOrEqual(FLOOD)
    expect(failuresOf(outcome)).toEqual([])
    await expectHonest(outcome)
  })
})

describe('what is no SFTP', () => {
  test.each<[string, Forge, RegExp]>([
    ['a packet of 4 GiB', to('write', () => [u32(0xffff_ffff), Buffer.alloc(100)]), /what is not SFTP/],
    [
      'a packet of 1 GiB',
      to('write', () => [u32(2 ** 30), Buffer.alloc(100)]),
      /Packet length 1073741824 exceeds/
    ],
    ['an empty packet', to('write', () => [u32(0)]), /Invalid packet length/],
    [
      'a packet of a kind that there is not',
      to('write', () => [frame(77, u32(1))]),
      /Unknown packet type 77/
    ],
    ['a second greeting', to('write', () => [formatVersion([])]), /Duplicate VERSION/],
    ['a handle that is cut', to('write', ({ id }) => [frame(102, u32(id), u32(99))]), /Malformed HANDLE/],
    [
      'a list without end',
      to('write', ({ id }) => [frame(104, u32(id), u32(0xffff_ffff))]),
      /Malformed NAME/
    ],
    [
      'text',
      to('write', () => [Buffer.from('bash: warning: no such file')]),
      /sends text where SFTP belongs.*"bash"/
    ]
  ])('%s ends the session at once, with the reason', async (_, forge, reason) => {
    const at = performance.now()
    const outcome = await uploadTo(forge, { stallTimeoutMs: 120_000 })
    const [failure = '', ...others] = failuresOf(outcome)
    expect(failure).toMatch(/^connection-lost: connection to 127\.0\.0\.1 port/)
    expect(failure).toMatch(reason)
    expect(others).toHaveLength(1)
    expect(performance.now() - at).toBeLessThan(20_000)
    await expectHonest(outcome)
  })

  test.each<[string, Forge, RegExp]>([
    [
      'text',
      to('init', () => [Buffer.from('Welcome!\n')]),
      /^protocol: .*text where SFTP belongs.*"Welc".*\.bashrc/
    ],
    ['text beyond ASCII', to('init', () => [Buffer.from('¡Hola!\n')]), /^protocol: /],
    ['another answer', to('init', () => [formatStatus(0, 0)]), /^protocol: .*Expected VERSION/]
  ])('%s in place of the greeting: says so', async (_, forge, message) => {
    const failures = failuresOf(await uploadTo(forge))
    expect(failures).toEqual([expect.stringMatching(message), expect.stringMatching(message)])
  })
})

describe('lies about sizes', () => {
  test.each<[string, number]>([
    ['0', 0],
    ['too little', 100],
    ['too much', 2 ** 40],
    ['more than there is', Number.MAX_SAFE_INTEGER]
  ])('of what was written, %s: not verified', async (_, size) => {
    const lie: Forge = ({ op, id }, honest) =>
      op === 'fstat' || op === 'stat' ? [formatAttributes(id, { ...stats, size })] : [honest]
    const outcome = await uploadTo((request, honest) =>
      request.path === 'site' ? [honest] : lie(request, honest)
    )
    expect(failuresOf(outcome)).toEqual([
      expect.stringMatching(/^not-verified: check site\/large.*must hold 3,145,728 bytes and holds/),
      expect.stringMatching(/^not-verified: check site\/small.*must hold 500 bytes and holds/)
    ])
    await expectHonest(outcome)
  })

  test.each<[string, (honest: Buffer, id: number) => Buffer]>([
    ['reads of one byte', (honest, id) => formatData(id, honest.subarray(13, 14))],
    [
      'reads of more than was asked for',
      (honest, id) => formatData(id, Buffer.concat([honest.subarray(13), Buffer.alloc(99)]))
    ]
  ])('%s are put together', async (_, change) => {
    await writeFile(join(root, 'f'), artifactBytes(2000))
    server.faults.forge = to('read', ({ id }, honest) => [honest[4] === 103 ? change(honest, id) : honest])
    const remote = await connect(settingsFor(server), never)
    const file = await remote.openForReading('f')
    expect(
      Buffer.from(await file.read({ offset: 100, length: 500 })).equals(
        artifactBytes(2000).subarray(100, 600)
      )
    ).toBe(true)
    remote.close()
  })

  test('handles that are too long are not kept', async () => {
    server.faults.forge = to('open', ({ id }) => [formatHandle(id, Buffer.alloc(200 * 1024, 'x'))])
    const remote = await connect(settingsFor(server), never)
    const refusals = await holdingAtMost(MOST_HELD, async () => {
      const found: unknown[] = []
      for (let length = 0; length < FLOOD; length += 200 * 1024) {
        found.push(await remote.create('f', undefined).catch((error: unknown) => error))
      }
      return found
    })
    expect(new Set(refusals.map(error => (error as UploadError).code))).toEqual(new Set(['protocol']))
    remote.close()
  })

  test('reads of nothing are the end of the file', async () => {
    await writeFile(join(root, 'f'), 'x')
    server.faults.forge = to('read', ({ id }) => [formatData(id, '')])
    const remote = await connect(settingsFor(server), never)
    expect(await (await remote.openForReading('f')).read({ offset: 0, length: 500 })).toHaveLength(0)
    remote.close()
  })

  test.each([
    [1, 1],
    [1023, 262_144],
    [262_144, 1]
  ])('limits of %i bytes a read and %i a write are refused', async (read, write) => {
    await server.close()
    server = await startSftpServer({ root, extensions: ['limits@openssh.com'] })
    server.faults.forge = to('unknown', ({ id }) => [formatLimits(id, [262_144, read, write, 100])])
    const remote = await connect(settingsFor(server), never)
    expect(await remote.ended).toMatchObject({
      code: 'protocol',
      message: expect.stringContaining('at least 1024 bytes')
    })
  })

  test('limits without bounds are not used up', async () => {
    await server.close()
    server = await startSftpServer({ root, extensions: ['limits@openssh.com'] })
    server.faults.forge = to('unknown', ({ id }) => [formatLimits(id, [2 ** 52, 2 ** 52, 2 ** 52, 2 ** 52])])
    const remote = await connect(settingsFor(server), never)
    await remote.stat('.')
    expect(remote.chunkSize).toBe(261_120)
    remote.close()
  })

  test.each([0, 1, 1023])('packets of %i bytes are refused', async packetSize => {
    server.faults.packetSize = packetSize
    await expect(connect(settingsFor(server), never)).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringContaining('at least 1024 bytes')
    })
  })

  test.each([0, 1, 1023])('packets of %i bytes are refused of a jump host, too', async packetSize => {
    const jump = await startSftpServer({ root, faults: { packetSize } })
    const through = connect(settingsFor(server, { jump: settingsFor(jump) }), never)
    await expect(through).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringMatching(/^connect to jump host .* at least 1024 bytes/)
    })
    await jump.close()
  })
})

describe('a directory', () => {
  test('that has no end is given up with little memory, and the files are in place', async () => {
    const name = 'x'.repeat(200)
    const entries = Array.from({ length: 500 }, () => ({ name, stats }))
    server.faults.forge = to('readdir', ({ id }) => [formatNames(id, entries)])
    const remote = await connect(settingsFor(server), never)
    const listed = holdingAtMost(MOST_HELD, () => remote.list('site'))
    await expect(listed).rejects.toMatchObject({
      code: 'protocol',
      message: expect.stringMatching(/^list site: no end after \d+,\d+ entries$/)
    })
    expect(server.stats.requests.readdir).toBeLessThan(200)
    remote.close()

    const outcome = await uploadTo(server.faults.forge)
    expect(failuresOf(outcome)).toEqual([])
    await expectHonest(outcome)
  })

  test('with names that lead elsewhere: nothing is removed but old part files of the target', async () => {
    const old = { ...stats, mtimeMs: 1000 }
    const names = [
      '../large.bin',
      '../../local/large.bin',
      '/large.bin',
      'sub/large.bin',
      '',
      '.',
      '..',
      'large.bin\0'
    ]
    const entries = names.flatMap(name => [
      { name: `${name}.01234567.part`, stats: old },
      { name, stats: old }
    ])
    entries.push({ name: 'large.bin.0123abcd.part', stats: old })
    const removed: string[] = []
    const outcome = await uploadTo((request, honest) => {
      if (request.op === 'remove') removed.push(request.path ?? '')
      if (request.op !== 'readdir') return [honest]
      return [
        server.stats.requests.readdir === 1 ? formatNames(request.id, entries) : formatStatus(request.id, 1)
      ]
    })
    expect(failuresOf(outcome)).toEqual([])
    expect(removed).toEqual(['site/large.bin.0123abcd.part'])
  })

  test.each([
    ['no times', undefined],
    ['the time 0', stats]
  ])('that tells %s: no part file is taken for an old one', async (_, told) => {
    await writeFile(join(root, 'site', 'large.bin.0123abcd.part'), 'of another run')
    const outcome = await uploadTo(
      to('readdir', ({ id }) => [
        server.stats.requests.readdir === 1
          ? formatNames(id, [
              { name: 'large.bin.0123abcd.part', ...(told === undefined ? {} : { stats: told }) }
            ])
          : formatStatus(id, 1)
      ])
    )
    expect(failuresOf(outcome)).toEqual([])
    expect(await readFile(join(root, 'site', 'large.bin.0123abcd.part'), 'utf8')).toBe('of another run')
  })
})

test('what a server says is one short line of a message', async () => {
  const text = `no\n::error::forged\r\u001b[31m${'x'.repeat(100_000)}`
  const outcome = await uploadTo(to('open', ({ id }) => [formatStatus(id, 3, text)]))
  expect(failuresOf(outcome)).toEqual([
    expect.stringMatching(/^permission: open site\/large.*: no ::error::forged .{1,500}$/),
    expect.stringMatching(/^permission: open site\/small.*: no ::error::forged .{1,500}$/)
  ])
})

test('whatever becomes of its answers on the way, an upload ends, and says the truth', async () => {
  const damage = fc.record({
    /** Counted over all answers. */
    at: fc.nat(40),
    kind: fc.constantFrom('flip', 'cut', 'grow', 'type', 'id', 'twice', 'drop', 'length', 'noise'),
    value: fc.nat(0xffff),
    bytes: fc.uint8Array({ maxLength: 40 })
  })
  const property = fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async damages => {
    let answers = 0
    const outcome = await uploadTo(
      (_, honest) => {
        const found = damages.filter(({ at }) => at === answers)
        answers += 1
        return found.reduce<Buffer[]>(
          (packets, each) => packets.flatMap(packet => spoil(packet, each)),
          [honest]
        )
      },
      { stallTimeoutMs: 200, connectTimeoutMs: 2_000 }
    )
    expect(outcome.results).toHaveLength(2)
    for (const failure of failuresOf(outcome)) expectClear(failure)
    for (const { file, status, error } of outcome.results) {
      const [here, there] = await Promise.all([readFile(file.local), readFile(join(root, file.remote))])
      // The answer to the rename may be what was damaged.
      if (status === 'failed') expect(there.equals(here) || there.toString() === OLD).toBe(true)
      else expect(there.equals(here)).toBe(true)
      if (status === 'failed') expect(error?.name).toBe('UploadError')
    }
    for (const { file } of outcome.results) await writeFile(join(root, file.remote), OLD)
  })
  const numRuns = Number(process.env.PROPERTY_RUNS ?? 40)
  // Some twenty times as long as it takes.
  const interruptAfterTimeLimit = 240_000 * Math.max(1, numRuns / 40)
  await fc.assert(property, { numRuns, interruptAfterTimeLimit, markInterruptAsFailure: true })
}, 3_600_000)

/** What went wrong in doing what, in one line that a person can read, and then perhaps what helps. */
function expectClear(failure: string): void {
  const [line = ''] = failure.split('\n')
  expect(line).toMatch(
    /^[a-z-]+: (?:(?:connect|connection|open|write|read|stat|check|close|rename|list|remove|make|look|set)\b.*: \S|the server has been silent for \d+ s$|the connection is closed$)/
  )
  expect(line).not.toMatch(/\p{Cc}|undefined|NaN|\[object|Error:|Cannot read|is not a function/u)
  expect(failure.length).toBeLessThan(600)
}

interface Damage {
  readonly kind: string
  readonly value: number
  readonly bytes: Uint8Array
}

function spoil(packet: Buffer, { kind, value, bytes }: Damage): Buffer[] {
  const copy = Buffer.from(packet)
  switch (kind) {
    case 'flip':
      copy[value % copy.length] = (copy[value % copy.length] ?? 0) ^ (1 << (value % 8))
      return [copy]
    case 'cut':
      return [frame(copy[4] ?? 0, copy.subarray(5, 5 + (value % copy.length)))]
    case 'grow':
      return [frame(copy[4] ?? 0, copy.subarray(5), Buffer.from(bytes))]
    case 'type':
      copy[4] = [2, 101, 102, 103, 104, 105, 201, value % 256][value % 8] ?? 0
      return [copy]
    case 'id':
      return [withId(copy, value)]
    case 'twice':
      return [copy, copy]
    case 'length':
      copy.writeUInt32BE(value * 0x1_0001, 0)
      return [copy]
    case 'noise':
      return [Buffer.from(bytes), copy]
    default:
      return []
  }
}
