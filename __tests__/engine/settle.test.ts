import { expect, test } from '@jest/globals'
import { UploadError } from '../../src/core/errors.js'
import { newProgress } from '../../src/engine/file-progress.js'
import { resultOf as resultOfFile } from '../../src/engine/file-result.js'
import { withheldBy } from '../../src/engine/settle.js'
import { bytesOf } from '../support/memory-bytes.js'
import { cancelled, count, decisionsOf, MemoryWorld, resultOf } from '../support/memory-world.js'

const NAMES = ['a', 'b', 'c']

function open(): MemoryWorld {
  const world = new MemoryWorld()
  for (const [index, name] of NAMES.entries()) world.put(name, bytesOf(index + 1, 1000))
  return world
}

test('a failure of a file is its result, and the others go on', async () => {
  const world = open()
  world.server.faults.push({ on: 'create', path: /site\/b\./, then: 'permission', times: Infinity })
  const outcome = await world.run()
  expect(outcome.report.results.map(({ error }) => error?.code)).toEqual([undefined, 'permission', undefined])
  expect(count(outcome, 'finished')).toBe(3)
  expect(count(outcome, 'retrying')).toBe(0)
})

test('a failure of a large file does not hold up those that are to come', async () => {
  const world = new MemoryWorld()
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) world.put(name, bytesOf(name.charCodeAt(0), 2_000_000))
  world.server.faults.push({ on: 'create', path: /site\/a\./, then: 'permission', times: Infinity })
  const outcome = await world.run()
  expect(outcome.report.results.filter(({ status }) => status === 'uploaded')).toHaveLength(5)
})

test('a file that is whole and waits for the others has no result yet', async () => {
  const world = open()
  const finished: number[] = []
  world.server.onRequest = ({ operation }) => {
    if (operation === 'replace') finished.push(world.events.filter(({ type }) => type === 'finished').length)
  }
  const outcome = await world.run({ publish: 'together' })
  expect(finished[0]).toBe(0)
  expect(outcome.report.results.map(({ status }) => status)).toEqual(NAMES.map(() => 'uploaded'))
  expect(count(outcome, 'finished')).toBe(3)
})

test('what no part of the engine has thrown on purpose is told with the file', async () => {
  const world = open()
  world.disk.isUnreadable = local => {
    if (local.endsWith('b')) throw new TypeError('no such thing')
    return false
  }
  const { error } = resultOf(await world.run(), 'b')
  expect(error?.code).toBe('server-failure')
  expect(error?.message).toBe('upload /project/b: no such thing')
})

test('a lane that ends while another lives costs no attempt: its files are looked at anew', async () => {
  const world = new MemoryWorld()
  for (let index = 0; index < 200; index++) world.put(`file-${index}`, bytesOf(index, 1000))
  world.server.faults.push({ on: 'replace', session: 1, after: 20, then: 'cut' })
  const outcome = await world.run({ connections: 3 })
  expect(new Set(outcome.report.results.map(({ status }) => status))).toEqual(new Set(['uploaded']))
  expect(count(outcome, 'retrying')).toBe(0)
  expect(decisionsOf(outcome).length).toBeGreaterThan(200)
})

test('the end of the last lane is the end of the attempt, not of the file', async () => {
  const world = open()
  world.server.faults.push({ on: 'write', path: /site\/b\./, then: 'cut' })
  const outcome = await world.run()
  expect(outcome.report.results.map(({ status }) => status)).toEqual(NAMES.map(() => 'uploaded'))
  expect(count(outcome, 'retrying')).toBe(1)
  expect(count(outcome, 'finished')).toBe(3)
})

test('a full disk ends the upload of all files', async () => {
  const world = open()
  world.put('d', bytesOf(4, 1000))
  world.server.faults.push({ on: 'write', path: /site\/b\./, then: 'no-space' })
  const outcome = await world.run({ last: { name: 'd', size: 1000, make: () => bytesOf(4, 1000) } })
  expect(resultOf(outcome, 'b').error?.code).toBe('no-space')
  expect(resultOf(outcome, 'd').error?.code).toBe('no-space')
  expect(count(outcome, 'retrying')).toBe(0)
})

test('a failure after the run was told to stop is told as that', async () => {
  const world = open()
  const stop = new AbortController()
  world.server.faults.push({ on: 'write', then: 'permission', times: Infinity })
  world.server.onRequest = ({ operation }) => {
    if (operation === 'write') stop.abort(cancelled())
  }
  const outcome = await world.run({ signal: stop.signal })
  expect(outcome.report.results.map(({ error }) => error?.code)).toEqual(NAMES.map(() => 'cancelled'))
})

test.each([
  ['waits for site/a: refused', new UploadError('permission', 'refused')],
  ['waits for site/a: it is not in place', undefined]
])('a file that waits for another one says for which, and why: %s', (message, error) => {
  const progress = newProgress({ local: 'a', remote: 'site/a', size: 1 })
  const withheld = withheldBy(resultOfFile(progress, 'failed', 1, error))
  expect(withheld).toMatchObject({ code: 'withheld', message })
  expect(withheld.cause).toBe(error)
})
