import { describe, expect, test } from '@jest/globals'
import { readSettings } from '../../src/run/inputs.js'
import { outputsOf } from '../../src/action/outputs.js'
import { inputsOf, readActionSection } from './action-yml.js'

const REQUIRED = { host: 'example.com', username: 'deploy', key: 'a key', paths: 'dist' }

describe('action.yml', () => {
  test('has the inputs that are read, and no other', () => {
    const getInput = inputsOf(REQUIRED)
    const read: string[] = []
    readSettings(name => {
      read.push(name)
      return getInput(name)
    })
    expect(read.sort()).toEqual([...readActionSection('inputs').keys()].sort())
  })

  test('has defaults that can be read', () => {
    expect(readSettings(inputsOf(REQUIRED))).toMatchObject({
      server: {
        port: 22,
        hostKeys: { check: 'strict', knownHosts: '', fingerprints: [] },
        connectTimeoutMs: 30_000,
        stallTimeoutMs: 60_000,
        keepaliveIntervalMs: 30_000
      },
      selection: {
        includeHiddenFiles: false,
        ignoreFile: '.sftpignore',
        followSymlinks: true,
        ifNoFilesFound: 'error',
        shard: undefined
      },
      target: { remotePath: '.', fileMode: undefined, dirMode: undefined, preserveMtime: false },
      transfer: { verify: 'size', chunkSize: 'auto', connections: 4, retries: 5 },
      deletion: undefined,
      isDryRun: false,
      state: { store: 'cache', key: '${{ toJSON(matrix) }}', checkpointIntervalMs: 60_000 }
    })
  })

  test('requires the inputs without which nothing can be read', () => {
    const required = [...readActionSection('inputs')]
      .filter(([, input]) => input.required)
      .map(([name]) => name)
    expect(required.sort()).toEqual(['host', 'paths', 'username'])
    for (const name of required) {
      expect(() => readSettings(inputsOf({ ...REQUIRED, [name]: '' }))).toThrow(
        new RegExp(`^${name}: must be `)
      )
    }
  })

  test('has the outputs that are set, and no other', () => {
    const set = Object.keys(outputsOf({ results: [], elapsedMs: 0 }))
    expect(set.sort()).toEqual([...readActionSection('outputs').keys()].sort())
  })
})
