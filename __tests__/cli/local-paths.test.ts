import { describe, expect, test } from '@jest/globals'
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planUpload } from '../../src/core/plan.js'
import { matchFiles } from '../../src/adapters/local/match-files.js'
import { selectionOf } from '../../src/cli/local-paths.js'
import { writeTree } from '../support/artifact.js'

/** What would be uploaded, as `local → remote`, from a directory with these files. */
async function plan(files: readonly string[], ...paths: string[]): Promise<string[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'local-paths-')))
  const workingDirectory = join(root, 'project')
  try {
    await writeTree(workingDirectory, Object.fromEntries(['here', ...files].map(name => [name, name])))
    const look = (path: string) => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found === undefined ? undefined : found.isFile() ? 'file' : 'other'
    }
    const { lines, remotePath } = selectionOf(paths, { workingDirectory, look })
    const options = {
      includeHiddenFiles: false,
      ignoreFile: undefined,
      followSymlinks: true,
      workspace: workingDirectory
    }
    const { files: matched } = await matchFiles({ ...options, paths: lines.join('\n').split('\n') })
    return planUpload(matched, remotePath).map(
      ({ local, remote }) => `${local.slice(workingDirectory.length + 1)} → ${remote}`
    )
  } finally {
    rmSync(root, { recursive: true })
  }
}

describe('one file', () => {
  test.each([
    ['/srv/app.zip', '/srv/app.zip'],
    ['app.zip', 'app.zip'],
    ['releases/new.zip', 'releases/new.zip'],
    ['/new.zip', '/new.zip'],
    ['a => b', 'a => b'],
    ['../new.zip', '../new.zip'],
    ['/srv/', '/srv/app.zip'],
    ['.', 'app.zip'],
    ['releases/.', 'releases/app.zip'],
    ['..', '../app.zip']
  ])('goes to %s as %s', async (remote, expected) => {
    expect(await plan(['app.zip'], 'app.zip', remote)).toEqual([`app.zip → ${expected}`])
  })

  test.each([
    'app[1].zip',
    '*.zip',
    'a?b',
    '!important',
    '#1',
    'a => b',
    '=> b',
    ' blanks ',
    '~',
    'a b',
    'x=>y'
  ])('is itself, whatever its characters: %j', async name => {
    expect(await plan([name, 'app1.zip', 'axb'], name, '/srv/new')).toEqual([`${name} → /srv/new`])
    expect(await plan([name, 'app1.zip', 'axb'], name, '/srv/')).toEqual([`${name} → /srv/${name}`])
  })
})

describe('a directory, a pattern or several paths', () => {
  const files = ['dist/index.html', 'dist/app.js', 'dist/app.js.map', 'notes.md']

  test.each<[string[], string[]]>([
    [
      ['dist', '/srv'],
      ['dist/app.js → /srv/app.js', 'dist/app.js.map → /srv/app.js.map', 'dist/index.html → /srv/index.html']
    ],
    [['dist/*.html', '/srv'], ['dist/index.html → /srv/index.html']],
    [
      ['dist', '!dist/**/*.map', '/srv'],
      ['dist/app.js → /srv/app.js', 'dist/index.html → /srv/index.html']
    ],
    [
      ['dist/index.html', 'notes.md', 'www'],
      ['dist/index.html → www/dist/index.html', 'notes.md → www/notes.md']
    ]
  ])('goes below the remote path: %j', async (paths, expected) => {
    expect(await plan(files, ...paths)).toEqual(expected)
  })
})

test('a path of two lines is refused', async () => {
  await expect(plan([], 'a\nb', '/srv')).rejects.toMatchObject({ code: 'invalid-input' })
})
