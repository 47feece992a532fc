import { expect, test } from '@jest/globals'
import { readSettings } from '../../src/run/inputs.js'
import { openState, statePlace } from '../../src/action/step-state.js'
import { SharedSessions } from '../../src/adapters/sftp/shared-sessions.js'
import { standingIn } from '../../src/core/extraneous.js'
import { deriveStateKeys } from '../../src/core/seal.js'
import { inputsOf } from './action-yml.js'

const JOB = { workspace: '/work', temp: '/temp', run: '1', id: 'deploy', attempt: 1, runner: 'runner' }
const KEYS = deriveStateKeys('secret')

function settingsOf(given: Readonly<Record<string, string>> = {}) {
  return readSettings(
    inputsOf({ host: 'example.com', username: 'deploy', key: 'a key', paths: 'dist', ...given })
  )
}

function placeOf(given: Readonly<Record<string, string>>) {
  return statePlace(settingsOf(given), KEYS, JOB)
}

test('every shard has a state of its own, in the cache, on the server and on the disk', () => {
  const places = ['', '1/5', '2/5', '3/5'].map(shard => placeOf({ shard }))
  expect(new Set(places.map(({ directory }) => directory)).size).toBe(4)
  expect(new Set(places.map(({ cache }) => cache.prefix)).size).toBe(4)
  expect(new Set(places.map(({ path }) => path)).size).toBe(4)
  expect(placeOf({ paths: 'dist\nstep, shard 2' })).not.toEqual(placeOf({ shard: '2/5' }))
})

test('every state-key has a state of its own, and every shard with it', () => {
  const given = [{}, { 'state-key': 'a' }, { 'state-key': 'b' }, { 'state-key': 'a', shard: '1/2' }]
  expect(new Set(given.map(inputs => placeOf(inputs).directory)).size).toBe(given.length)
  expect(placeOf({ 'state-key': 'a' })).toEqual(placeOf({ 'state-key': 'a' }))
})

test('the file on the server lies in remote-path, and delete knows it', () => {
  const { path } = placeOf({ 'remote-path': 'www/' })
  expect(path).toMatch(/^www\/\.[0-9a-f]{32}\.upload\.meta$/)
  const standingOf = standingIn([], 'www', () => false)
  const own = [path, `${path}.12345678.new`, `${path}.12345678.new.old`]
  expect(own.map(standingOf)).toEqual(['stays', 'stays', 'stays'])
})

test('a shard finds its state again, also when there are more shards now', () => {
  expect(placeOf({ shard: '2/5' })).toEqual(placeOf({ shard: '2/5' }))
  expect(placeOf({ shard: '2/6' })).toEqual(placeOf({ shard: '2/5' }))
})

test('a job is not the only one of its run and attempt', () => {
  const state = openState({
    settings: settingsOf(),
    secret: 'secret',
    job: JOB,
    sessions: new SharedSessions(() => Promise.reject(new Error('no session is needed'))),
    lastSaveLimits: () => ({ eachMs: 1, allMs: 1 }),
    isTroubled: false,
    onNotice: () => undefined,
    onTrouble: () => undefined
  })
  expect(state).toMatchObject({ writer: { run: '1', attempt: 1 }, job: 'deploy' })
  expect(state.isOnlyWriter).toBe(false)
})
