import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { matchFiles } from '../../../src/adapters/local/match-files.js'

const FILES = ['dist/app.js', 'dist/app.js.map', 'dist/Debug.LOG', 'dist/logs/a.txt', 'dist/sub/logs/b.txt']

let workspace: string

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'ignore-'))
  for (const file of FILES) await write(file, file)
})
afterEach(() => rm(workspace, { recursive: true, force: true }))

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(workspace, file)), { recursive: true })
  await writeFile(join(workspace, file), text)
}

function match(paths: string, ignoreFile = '.sftpignore', options: { includeHiddenFiles?: boolean } = {}) {
  const lines = paths.split('\n')
  return matchFiles({
    paths: lines,
    ignoreFile,
    includeHiddenFiles: false,
    followSymlinks: true,
    workspace,
    ...options
  })
}

async function placesOf(...args: Parameters<typeof match>): Promise<string[]> {
  return (await match(...args)).files.map(({ place }) => place.join('/')).sort()
}

const ALL = ['Debug.LOG', 'app.js', 'app.js.map', 'logs/a.txt', 'sub/logs/b.txt']

describe('the ignore file', () => {
  test.each([
    ['a pattern without a slash holds at every depth', 'logs', ['Debug.LOG', 'app.js', 'app.js.map']],
    [
      'one with a slash is relative to the ignore file',
      '/dist/logs',
      ALL.filter(name => name !== 'logs/a.txt')
    ],
    ['one relative to the directory that is uploaded means nothing', '/logs', ALL],
    ['one that ends in a slash leaves files of that name in', 'app.js/', ALL],
    [
      'a later line takes files in again',
      '*.js*\n!app.js',
      ['Debug.LOG', 'app.js', 'logs/a.txt', 'sub/logs/b.txt']
    ],
    ['comments and blank lines say nothing', '# dist\n\n', ALL],
    ['upper and lower case differ', '*.log', ALL],
    [
      'a byte order mark is no part of the first pattern',
      '\uFEFF*.map',
      ALL.filter(name => name !== 'app.js.map')
    ],
    ['lines may end with CR LF', '*.map\r\nlogs/\r\n', ['Debug.LOG', 'app.js']]
  ])('%s', async (_, text, places) => {
    await write('.sftpignore', text)
    expect(await placesOf('dist')).toEqual(places)
  })

  test('counts what it leaves out in one notice', async () => {
    await write('.sftpignore', 'logs')
    const { notices } = await match('dist')
    expect(notices).toEqual([
      '2 files left out because the ignore file says so: "dist/logs/a.txt", "dist/sub/logs/b.txt".'
    ])
  })

  test('holds for every line, and does not move the root or the name of a single file', async () => {
    await write('.sftpignore', '*.map')
    expect(await placesOf('dist/app.js.map')).toEqual([])
    expect(await placesOf('dist/logs => a\ndist/app.js.map => b/c.map\ndist/app.js => d')).toEqual([
      'a/a.txt',
      'd'
    ])
  })

  test('is not uploaded itself', async () => {
    await write('.sftpignore', '*.map')
    await write('other', '*.map')
    expect(await placesOf('.', '.sftpignore', { includeHiddenFiles: true })).not.toContain('.sftpignore')
    expect(await placesOf('.', 'other', { includeHiddenFiles: true })).toContain('.sftpignore')
  })

  test('may have another name and lie elsewhere: its patterns are relative to its directory', async () => {
    await write('dist/left-out.txt', '/logs')
    expect(await placesOf('dist', 'dist/left-out.txt')).toEqual(ALL.filter(name => name !== 'logs/a.txt'))
  })

  test('says nothing about files outside of its directory', async () => {
    await write('other/ignore', '*')
    expect(await placesOf('dist', 'other/ignore')).toEqual(ALL)
  })

  test('need not be there by its usual name, and must by another', async () => {
    expect(await placesOf('dist')).toEqual(ALL)
    await expect(match('dist', 'missing')).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/^ignore-file: must be a file.*found none at ".*missing"$/)
    })
  })

  test('must be a file', async () => {
    await expect(match('dist', 'dist')).rejects.toMatchObject({ code: 'source-unreadable' })
  })
})

describe('what has a place below remote-path is left out there', () => {
  async function leftOut(paths: string, places: readonly string[], includeHiddenFiles = false) {
    const { leavesOut } = await match(paths, '.sftpignore', { includeHiddenFiles })
    return places.filter(place => leavesOut(place.split('/')))
  }

  test('when the local path that would go there is ignored, whether it is there or not', async () => {
    await write('.sftpignore', '*.log\n/dist/uploads/\n')
    const places = ['x.log', 'uploads', 'uploads/photo.jpg', 'sub/uploads', 'app.js', 'old.js']
    expect(await leftOut('dist', places)).toEqual(['x.log', 'uploads', 'uploads/photo.jpg'])
  })

  test('when any line could send it there', async () => {
    await write('.sftpignore', '/dist/logs\n/dist/app.js.map\n')
    const places = ['www/logs/x', 'logs/x', 'maps/app.map', 'www/app.js.map', 'logs', 'other']
    expect(await leftOut('dist => www\ndist/app.js.map => maps/app.map', places)).toEqual([
      'www/logs/x',
      'maps/app.map',
      'www/app.js.map'
    ])
  })

  test('when it is hidden, unless hidden files are uploaded', async () => {
    const places = ['.htaccess', '.well-known', '.well-known/acme/token', 'sub/.env', 'not.hidden']
    expect(await leftOut('dist', places)).toEqual(places.slice(0, -1))
    expect(await leftOut('dist', places, true)).toEqual([])
  })
})
