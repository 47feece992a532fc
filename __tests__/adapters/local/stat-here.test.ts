import fs from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { matchFiles } from '../../../src/adapters/local/match-files.js'
import { statHere } from '../../../src/adapters/local/stat-here.js'

const { lstat, stat } = fs.promises

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stat-'))
  await writeFile(join(directory, 'file'), 'text')
})

afterEach(async () => {
  Object.assign(fs.promises, { lstat, stat })
  await rm(directory, { recursive: true, force: true })
})

test('what is asked meanwhile is answered as ever, large numbers included', async () => {
  const path = join(directory, 'file')
  await statHere(async () => {
    expect(fs.promises.stat).not.toBe(stat)
    expect(await fs.promises.stat(path)).toMatchObject({ size: 4 })
    expect(await fs.promises.lstat(path, { bigint: true })).toMatchObject({ size: 4n })
  })
})

test('a path that is not there is a promise that fails', async () => {
  await statHere(async () => {
    const looking = fs.promises.lstat(join(directory, 'none'))
    await expect(looking).rejects.toMatchObject({ code: 'ENOENT', syscall: 'lstat' })
  })
})

test('afterwards all is as before, also after a search that failed, and with one that began meanwhile', async () => {
  const failing = statHere(() => Promise.reject(new Error('it failed')))
  const other = statHere(() => failing.catch(() => undefined))
  await expect(failing).rejects.toThrow('it failed')
  await other
  expect(fs.promises.stat).toBe(stat)
  expect(fs.promises.lstat).toBe(lstat)
})

test.each([true, false])('a search asks no other thread, with follow-symlinks %s', async followSymlinks => {
  const asked: unknown[] = []
  const noting = (path: unknown) => {
    asked.push(path)
    throw new Error('asked of another thread')
  }
  Object.assign(fs.promises, { lstat: noting, stat: noting })
  const selection = { includeHiddenFiles: false, ignoreFile: undefined, workspace: directory, followSymlinks }
  const { files } = await matchFiles({ ...selection, paths: ['file'] })
  expect(files).toMatchObject([{ place: ['file'], size: 4 }])
  expect(asked).toEqual([])
})
