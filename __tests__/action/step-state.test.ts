import { expect, test } from '@jest/globals'
import { readSettings } from '../../src/run/inputs.js'
import { statePlace } from '../../src/action/step-state.js'
import { deriveStateKeys } from '../../src/core/seal.js'
import { inputsOf } from './action-yml.js'

const JOB = { workspace: '/work', temp: '/temp', run: '1', attempt: 1, runner: 'runner' }
const KEYS = deriveStateKeys('secret')

function placeOf(given: Readonly<Record<string, string>>) {
  const inputs = { host: 'example.com', username: 'deploy', key: 'a key', paths: 'dist', ...given }
  return statePlace(readSettings(inputsOf(inputs)), KEYS, JOB)
}

test('every shard has a state of its own, in the cache and on the disk', () => {
  const places = ['', '1/5', '2/5', '3/5'].map(shard => placeOf({ shard }))
  expect(new Set(places.map(({ directory }) => directory)).size).toBe(4)
  expect(new Set(places.map(({ cache }) => cache.prefix)).size).toBe(4)
  expect(placeOf({ paths: 'dist\nstep, shard 2' })).not.toEqual(placeOf({ shard: '2/5' }))
})

test('a shard finds its state again, also when there are more shards now', () => {
  expect(placeOf({ shard: '2/5' })).toEqual(placeOf({ shard: '2/5' }))
  expect(placeOf({ shard: '2/6' })).toEqual(placeOf({ shard: '2/5' }))
})
