import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { matchFiles } from '../../../src/adapters/local/match-files.js'

const POSIX = process.platform !== 'win32'

let base: string
let workspace: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'match-'))
  workspace = join(base, 'a [workspace] with *stars*')
  await mkdir(workspace)
})

afterEach(async () => {
  await rm(base, { recursive: true, force: true })
})

/** Each file holds its own path. */
async function make(...files: readonly string[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(workspace, file)), { recursive: true })
    await writeFile(join(workspace, file), file)
  }
}

function match(paths: string, options: { includeHiddenFiles?: boolean; followSymlinks?: boolean } = {}) {
  const lines = paths.split('\n')
  return matchFiles({
    paths: lines,
    ignoreFile: undefined,
    includeHiddenFiles: false,
    followSymlinks: true,
    workspace,
    ...options
  })
}

async function placesOf(paths: string, options?: { includeHiddenFiles?: boolean; followSymlinks?: boolean }) {
  const { files } = await match(paths, options)
  return files.map(({ place }) => place.join('/')).sort()
}

describe('the root of plain lines', () => {
  test.each([
    ['a single file gets its own name', 'path/to/artifact/world.txt', ['world.txt']],
    ['a directory gives what is in it', 'path/to/artifact/', ['sub/deep.txt', 'world.txt']],
    ['a directory needs no slash', 'path/to/artifact', ['sub/deep.txt', 'world.txt']],
    ['a leading ./ changes nothing', './path/to/artifact', ['sub/deep.txt', 'world.txt']],
    ['a glob is rooted before its first wildcard', 'path/**/artifac?/*.txt', ['to/artifact/world.txt']],
    ['a glob that matches one file, too', 'path/**/deep.txt', ['to/artifact/sub/deep.txt']],
    [
      'several paths are rooted in their deepest common directory',
      'path/output/bin/\npath/output/test-results\n!path/**/*.tmp',
      ['bin/app', 'test-results/result.xml']
    ],
    ['several files of one directory, too', 'path/output/bin/app\npath/output/bin/x.tmp', ['app', 'x.tmp']],
    [
      'a path below another one does not count',
      'path/output\npath/output/bin',
      ['bin/app', 'bin/x.tmp', 'test-results/result.xml']
    ],
    ['a path that matches nothing counts', 'path/output/bin/app\nmissing', ['path/output/bin/app']],
    [
      'the workspace itself',
      '.',
      [
        'path/output/bin/app',
        'path/output/bin/x.tmp',
        'path/output/test-results/result.xml',
        'path/to/artifact/sub/deep.txt',
        'path/to/artifact/world.txt'
      ]
    ],
    ['excludes do not move the root', 'path/to\n!path/to/artifact/sub', ['artifact/world.txt']]
  ])('%s', async (_, paths, places) => {
    await make(
      'path/to/artifact/world.txt',
      'path/to/artifact/sub/deep.txt',
      'path/output/bin/app',
      'path/output/bin/x.tmp',
      'path/output/test-results/result.xml'
    )
    expect(await placesOf(paths)).toEqual(places)
  })

  test('absolute paths are taken as they are', async () => {
    await make('dist/app')
    expect(await placesOf(join(escape(workspace), 'dist', 'app'))).toEqual(['app'])
  })

  test('tells the absolute local path and the size', async () => {
    await make('dist/app')
    const { files, notices } = await match('dist')
    expect(files).toEqual([{ local: join(workspace, 'dist', 'app'), place: ['app'], size: 8 }])
    expect(notices).toEqual([])
  })

  test('a comment and a blank line say nothing', async () => {
    await make('dist/app')
    expect(await placesOf('# dist\n\n  dist\n')).toEqual(['app'])
  })
})

describe('a line with a remote side', () => {
  test.each([
    ['puts what a directory holds there', 'dist => www', ['www/app.zip', 'www/sub/lib.zip']],
    ['may end with a slash', 'dist => www/', ['www/app.zip', 'www/sub/lib.zip']],
    ['may name several parts', 'dist => srv/./www//x', ['srv/www/x/app.zip', 'srv/www/x/sub/lib.zip']],
    ['may be remote-path itself', 'dist => .', ['app.zip', 'sub/lib.zip']],
    ['puts matches there, rooted at the glob', 'dist/**/*.zip => all/', ['all/app.zip', 'all/sub/lib.zip']],
    [
      'puts the matches of a glob into a directory, also without a slash',
      'dist/*.zip => out.zip',
      ['out.zip/app.zip']
    ],
    ['renames a single file', 'dist/app.zip => download.zip', ['download.zip']],
    ['renames a single file into a directory', 'dist/app.zip => v1/download.zip', ['v1/download.zip']],
    ['keeps the name of a single file before a slash', 'dist/app.zip => v1/', ['v1/app.zip']],
    ['keeps the name of a single file in remote-path', 'dist/app.zip => .', ['app.zip']],
    ['obeys the excludes of other lines', '!**/lib.zip\ndist => www', ['www/app.zip']],
    ['is rooted apart from the plain lines', 'readme.md\ndist/sub => www', ['readme.md', 'www/lib.zip']],
    ['may name a file again', 'dist/app.zip\ndist/app.zip => latest.zip', ['app.zip', 'latest.zip']]
  ])('%s', async (_, paths, places) => {
    await make('dist/app.zip', 'dist/sub/lib.zip', 'readme.md')
    expect(await placesOf(paths)).toEqual(places)
  })

  test.each([
    ['absolute', 'dist => /srv/www'],
    ['home', 'dist => ~/www'],
    ['upwards', 'dist => www/../../etc'],
    ['empty', 'dist =>'],
    ['NUL', 'dist => w\0ww'],
    ['backslash', 'dist => w\\ww'],
    ['no local side', '=> www'],
    ['an exclude', '!dist => www']
  ])('is refused when it is not a path below remote-path: %s', async (_, line) => {
    await make('dist/app.zip')
    await expect(match(`readme.md\n${line}`)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(`paths line 2 (${JSON.stringify(line.trim())})`)
    })
  })
})

describe('lines that cannot be read', () => {
  test.each([['dist\n../other'], ['dist\na/./b'], ['dist\n!../other']])('%j names the line', async paths => {
    await make('dist/app')
    await expect(match(paths)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('paths line 2')
    })
  })

  test.each([['!dist'], ['# dist'], ['\n']])('%j includes nothing', async paths => {
    await expect(match(paths)).rejects.toMatchObject({ code: 'invalid-input' })
  })
})

describe('hidden files', () => {
  test('are left out, and that is said', async () => {
    await make('dist/app', 'dist/.htaccess', 'dist/.well-known/x')
    const { files, notices } = await match('dist')
    expect(files.map(({ place }) => place)).toEqual([['app']])
    expect(notices).toEqual([expect.stringMatching(/^2 hidden names .*"dist\/\.htaccess"/)])
  })

  test('of which there are many are counted, and some are named', async () => {
    await make('dist/app', ...Array.from({ length: 7 }, (_, index) => `dist/.${index}`))
    const { notices } = await match('dist')
    expect(notices).toEqual([expect.stringMatching(/^7 hidden names .*: (?:"dist\/\.\d", ){5}and 2 more\.$/)])
  })

  test('are uploaded when they are included', async () => {
    await make('dist/app', 'dist/.htaccess', 'dist/.well-known/x')
    expect(await placesOf('dist', { includeHiddenFiles: true })).toEqual([
      '.htaccess',
      '.well-known/x',
      'app'
    ])
  })

  test.each([['.well-known/'], ['dist/.htaccess'], ['**/.htaccess']])(
    'a line that matches nothing else says so: %s',
    async line => {
      await make('dist/app', 'dist/.htaccess', '.well-known/x')
      const { files, unmatched } = await match(line)
      expect(files).toEqual([])
      expect(unmatched).toEqual([expect.stringContaining('include-hidden-files: true')])
    }
  )
})

describe('a line that matches nothing', () => {
  test.each([
    ['is named, also beside one that does', 'dist\nmissing.zip\nempty/*.zip\nnowhere => www', [2, 3, 4]],
    ['and searches where another one finds something', 'dist/*.zip\ndist/*.sig', [2]],
    ['and searches above', '**/*.sig\ndist/*.zip', [1]],
    ['and searches below', 'dist/**\ndist/sub/*.zip', [2]],
    ['is not one that matches what another one matches, too', 'dist\ndist/*\ndist/*.zip\ndist/app.zip', []],
    ['is not one after an exclude that it overrules', '!dist/*.zip\ndist/*.zip\ndist/*.txt', []],
    ['is one of which an exclude takes all', 'dist/*.txt\ndist/*.zip\n!**/*.zip', [2]]
  ])('%s', async (_, paths, numbers) => {
    await make('dist/app.zip', 'dist/notes.txt', 'dist/sub/lib.js', 'empty/x')
    const { files, notices, unmatched } = await match(paths)
    expect(files).not.toEqual([])
    expect(notices).toEqual([])
    expect(unmatched).toEqual(
      numbers.map(number => {
        const line = JSON.stringify(paths.split('\n')[number - 1])
        return `paths line ${number} (${line}) matches nothing.`
      })
    )
  })
})

describe('what is no regular file', () => {
  test('symbolic links are followed', async () => {
    await make('dist/app')
    await symlink('app', join(workspace, 'dist', 'link'))
    await symlink('dist', join(workspace, 'linked'))
    const { files, notices } = await match('linked')
    expect(files.map(({ place, size }) => [place.join('/'), size])).toEqual([
      ['app', 8],
      ['link', 8]
    ])
    expect(notices).toEqual([])
  })

  test.each([
    ['.', 'itself'],
    ['..', 'the directory above'],
    ['../dist/sub', 'a directory that is found anyway']
  ])('a symbolic link to %s, %s, ends', async target => {
    await make('dist/app', 'dist/sub/lib', 'dist/.hidden')
    await symlink(target, join(workspace, 'dist', 'link'))
    const { files, notices } = await match('dist')
    const places = files.map(({ place }) => place.join('/'))
    expect(places).toEqual(expect.arrayContaining(['app', 'sub/lib']))
    expect(places.length).toBeLessThanOrEqual(4)
    // Here, and once more behind the link at most.
    expect(notices).toEqual([expect.stringMatching(/^[12] hidden names? /)])
  })

  test('a symbolic link that leads only to itself is an error that names it', async () => {
    await make('dist/app')
    await symlink('loop', join(workspace, 'dist', 'loop'))
    await expect(match('dist')).rejects.toMatchObject({
      code: 'source-unreadable',
      message: expect.stringContaining('dist/loop')
    })
    expect((await match('dist', { followSymlinks: false })).files).toHaveLength(1)
  })

  test('symbolic links are left out when they are not to be followed', async () => {
    await make('dist/app')
    await symlink('app', join(workspace, 'dist', 'link'))
    const { files, notices } = await match('dist', { followSymlinks: false })
    expect(files.map(({ place }) => place)).toEqual([['app']])
    expect(notices).toEqual([expect.stringContaining('"dist/link"')])
  })

  test('a symbolic link to nothing is left out, and that is said', async () => {
    await make('dist/app')
    await symlink('nowhere', join(workspace, 'dist', 'link'))
    const { files, notices } = await match('dist')
    expect(files).toHaveLength(1)
    expect(notices).toEqual([expect.stringContaining('"dist/link"')])
  })

  test.each([['dist'], ['dist/pipe']])('a FIFO is left out: %s', async line => {
    if (!POSIX) return
    await make('dist/app')
    execFileSync('mkfifo', [join(workspace, 'dist', 'pipe')])
    const { files, notices } = await match(`dist/app\n${line}`)
    expect(files.map(({ place }) => place)).toEqual([['app']])
    expect(notices).toEqual([expect.stringContaining('"dist/pipe"')])
  })

  test('a directory that cannot be read is an error', async () => {
    if (!POSIX || process.getuid?.() === 0) return
    await make('dist/app', 'dist/closed/x')
    await chmod(join(workspace, 'dist', 'closed'), 0)
    await expect(match('dist')).rejects.toMatchObject({ code: 'source-unreadable' })
  })
})

describe('names that cannot be sent', () => {
  test.each([['a\nb'], ['a\u001b[31mb'], ['a\\b'], ['a\u0085b']])('%j is refused by name', async name => {
    if (!POSIX) return
    await make('dist/app', `dist/${name}`)
    await expect(match('dist')).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(JSON.stringify(name))
    })
  })

  describe('because they are not UTF-8', () => {
    /** Writes a file, or makes a directory with a file in it; its name ends in a byte that UTF-8 does not have. */
    async function makeOdd(path: string, { directory = false } = {}): Promise<void> {
      const odd = Buffer.concat([Buffer.from(join(workspace, path)), Buffer.from([0xff])])
      if (!directory) return writeFile(odd, 'x')
      await mkdir(odd)
      await writeFile(Buffer.concat([odd, Buffer.from('/x')]), 'x')
    }

    test.each(['dist', 'dist/', 'dist/*', 'dist/**', 'dist/**/*', '**', '*'])(
      'are refused where %s takes all: a file, and a directory',
      async line => {
        if (process.platform !== 'linux') return
        await make('dist/app')
        await makeOdd('dist/bad')
        await expect(match(line)).rejects.toMatchObject({ code: 'invalid-input' })
        await rm(join(workspace, 'dist'), { recursive: true })
        await make('dist/app')
        await makeOdd('dist/bad', { directory: true })
        await expect(match(line)).rejects.toMatchObject({ code: 'invalid-input' })
      }
    )

    test('are refused where symbolic links are not followed, too', async () => {
      if (process.platform !== 'linux') return
      await make('dist/app')
      await makeOdd('dist/bad')
      await expect(match('dist', { followSymlinks: false })).rejects.toMatchObject({ code: 'invalid-input' })
    })

    test('are refused behind a symbolic link, too', async () => {
      if (process.platform !== 'linux') return
      await make('real/app', 'dist/app')
      await makeOdd('real/bad')
      await symlink('../real', join(workspace, 'dist', 'linked'))
      await expect(match('dist')).rejects.toMatchObject({ code: 'invalid-input' })
    })

    test.each(['dist/app*', 'dist/**/*.zip', 'dist/*/*.zip\ndist/*.zip'])(
      'are told of where %j may not mean them',
      async paths => {
        if (process.platform !== 'linux') return
        await make('dist/app.zip')
        await makeOdd('dist/app', { directory: true })
        const { files, notices } = await match(paths)
        expect(files).toHaveLength(1)
        expect(notices).toEqual([expect.stringMatching(/^1 file left out because the name is not UTF-8: /)])
      }
    )

    test.each(['*.zip', 'dist/*.zip', 'dist/app.zip'])(
      'are not told of where %s cannot mean them',
      async line => {
        if (process.platform !== 'linux') return
        await make('app.zip', 'dist/app.zip', 'dist/sub/app.zip')
        await makeOdd('dist/bad')
        await makeOdd('dist/sub/bad')
        await makeOdd('sub', { directory: true })
        const { files, notices } = await match(line)
        expect(files).toHaveLength(1)
        expect(notices).toEqual([])
      }
    )
  })

  test('a file with such a name may get another one', async () => {
    if (!POSIX) return
    await make('dist/a\\b')
    expect(await placesOf('dist/a\\\\b => ab')).toEqual(['ab'])
  })
})

function escape(path: string): string {
  return path.replaceAll('[', '[[]').replaceAll('*', '[*]')
}
