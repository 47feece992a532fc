import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSettings } from '../../src/run/inputs.js'
import { Log } from '../../src/run/log.js'
import { planFiles } from '../../src/run/plan-files.js'
import { inputsOf } from '../action/action-yml.js'
import { writeTree } from '../support/artifact.js'

let workspace: string

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'plan-'))
  await writeTree(workspace, { 'dist/app.zip': 'zip' })
})
afterEach(() => rm(workspace, { recursive: true }))

/** What is told, other than warnings, and in warnings. */
async function plan(paths: string, ifNoFilesFound: string, shard = '') {
  const told: string[] = []
  const warnings: string[] = []
  const log = new Log({
    output: {
      info: line => void told.push(line),
      warning: line => void warnings.push(line),
      error: () => undefined,
      startGroup: () => undefined,
      endGroup: () => undefined
    },
    now: () => 0,
    every: () => () => undefined
  })
  const inputs = { host: 'h', username: 'u', key: 'k', paths, 'if-no-files-found': ifNoFilesFound, shard }
  const { files, elsewhere } = await planFiles({ settings: readSettings(inputsOf(inputs)), workspace, log })
  const namesOf = (planned: typeof files) => planned.map(({ remote }) => remote)
  return {
    files: namesOf(files),
    elsewhere: namesOf(elsewhere),
    count: files.length,
    told: told.join('\n'),
    warnings: warnings.join('\n')
  }
}

test.each(['error', 'warn'])(
  'with %s, a line that matches nothing beside others is a warning',
  async choice => {
    const { count, warnings } = await plan('dist/*.zip\ndist/app.sig', choice)
    expect(count).toBe(1)
    expect(warnings).toContain('paths line 2 ("dist/app.sig") matches nothing')
  }
)

test('with ignore, it is told, without a warning', async () => {
  const { count, told, warnings } = await plan('dist/*.zip\ndist/app.sig', 'ignore')
  expect([count, warnings]).toEqual([1, ''])
  expect(told).toContain('paths line 2 ("dist/app.sig") matches nothing')
})

test('where no line matches anything, there is one warning', async () => {
  const { count, told, warnings } = await plan('dist/*.sig\nother', 'warn')
  expect([count, warnings]).toEqual([
    0,
    'paths: must match at least one file; found none for dist/*.sig, other'
  ])
  expect(told).toContain('paths line 2 ("other") matches nothing')
})

test('what the other shards upload is known, to tell their names from these', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `file-${index}`)
  await writeTree(workspace, Object.fromEntries(names.map(name => [`many/${name}`, name])))
  const shards = await Promise.all(['1/3', '2/3', '3/3'].map(shard => plan('many', 'warn', shard)))
  expect(shards.flatMap(({ files }) => files).sort()).toEqual([...names].sort())
  for (const { files, elsewhere } of shards) {
    expect(files.length).toBeGreaterThan(0)
    expect([...files, ...elsewhere].sort()).toEqual([...names].sort())
  }
  expect((await plan('many', 'warn')).elsewhere).toEqual([])
})
