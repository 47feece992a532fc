import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { extraneousAmong, type Found, type RemoteKind, standingIn } from '../../src/core/extraneous.js'

const ROOT = '/srv/www'
const planned = (...names: string[]) =>
  names.map(name => ({ local: `/project/${name}`, remote: `${ROOT}/${name}`, size: 1 }))
const leavesNothingOut = () => false

describe('below remote-path', () => {
  const standingOf = standingIn(
    planned('index.html', 'docs/guide/start.html', 'Gr\u00f6ße.txt'),
    ROOT,
    place => ['uploads', 'docs/guide/.cache'].includes(place.join('/'))
  )

  test.each([
    ['a planned file stays', 'index.html', 'stays'],
    ['what was there before is extraneous', 'old.html', 'extraneous'],
    ['a directory above a planned file leads there', 'docs', 'leads-to-files'],
    ['at any depth', 'docs/guide', 'leads-to-files'],
    ['a neighbour of it does not', 'docs/guide-old', 'extraneous'],
    ['what the selection leaves out stays', 'uploads', 'stays'],
    ['by its whole path', 'docs/guide/.cache', 'stays'],
    ['and not by its name alone', 'docs/uploads', 'extraneous'],
    ['a part file stays, whosever it is', 'app.zip.0123abcd.part', 'stays'],
    ['also one that a client of another kind makes', 'docs/film.part', 'stays'],
    ['the old file of an interrupted publication stays', 'app.zip.0123abcd.part.old', 'stays'],
    ['a state stays', '.upload.meta', 'stays'],
    ['a state with a name stays', 'a1b2.upload.meta', 'stays'],
    ['a state that is being written stays', '.upload.meta.new', 'stays'],
    ['also with a line break in its name', '.upload.meta.\nnew', 'stays'],
    ['what is below a directory named so does not', 'x.upload.meta.d/file', 'extraneous'],
    ['a name that only looks like one does not', 'part', 'extraneous'],
    ['nor one that only begins so', 'app.part.zip', 'extraneous'],
    ['a line break hides nothing', 'a\n.part', 'stays'],
    ['a planned file in another case stays: it may be the same', 'INDEX.html', 'stays'],
    ['with letters that are composed otherwise, too', 'Gro\u0308ße.txt', 'stays'],
    ['and a directory above it leads there', 'DOCS/Guide', 'leads-to-files'],
    ['a name that is not UTF-8 stays: its path would name another', 'x\uFFFDy', 'stays']
  ])('%s: %s', (_, name, standing) => {
    expect(standingOf(`${ROOT}/${name}`)).toBe(standing)
  })

  test('a relative root is told apart as well', () => {
    const files = [{ local: '/project/a', remote: 'www/sub/a', size: 1 }]
    const of = standingIn(files, 'www', place => place.join('/') === 'b')
    expect(['www/sub', 'www/sub/a', 'www/b', 'www/c'].map(of)).toEqual([
      'leads-to-files',
      'stays',
      'stays',
      'extraneous'
    ])
  })
})

/** What is below the root, by path, of a tree that `files` make. */
function treeOf(files: readonly string[]): Map<string, RemoteKind> {
  const tree = new Map<string, RemoteKind>()
  for (const file of files) {
    const parts = file.split('/')
    for (let depth = 1; depth < parts.length; depth++)
      tree.set(`${ROOT}/${parts.slice(0, depth).join('/')}`, 'directory')
    tree.set(`${ROOT}/${file}`, 'file')
  }
  return tree
}

test('whatever the tree: all extraneous files go, and with them just the directories that hold nothing else', () => {
  const directory = fc.array(fc.constantFrom('a', 'b', 'b-'), { maxLength: 3 })
  const file = fc
    .tuple(directory, fc.constantFrom('x', 'y', 'kept', 'z.part'))
    .map(([above, name]) => [...above, name].join('/'))
  const files = fc.uniqueArray(file, { maxLength: 20 })
  fc.assert(
    fc.property(files, files, (there, uploaded) => {
      const standingOf = standingIn(planned(...uploaded), ROOT, place => place.at(-1) === 'kept')
      const found = [...treeOf([...there, ...uploaded])].map(([path, kind]) => ({
        path,
        kind,
        standing: standingOf(path)
      }))
      const { files: removed, directories } = extraneousAmong(found)
      const stays = (name: string) => uploaded.includes(name) || /kept$|part$/.test(name)
      const gone = there.filter(name => !stays(name)).map(name => `${ROOT}/${name}`)
      expect([...removed].sort()).toEqual([...new Set(gone)].sort())

      const left = found.map(({ path }) => path).filter(path => ![...removed, ...directories].includes(path))
      for (const path of directories) expect(left.filter(other => other.startsWith(`${path}/`))).toEqual([])
      for (const { path, kind } of found) {
        if (kind !== 'directory' || directories.includes(path)) continue
        expect(left.some(other => other.startsWith(`${path}/`))).toBe(true)
      }
      for (const [at, path] of directories.entries()) {
        expect(directories.slice(0, at).some(above => path.startsWith(`${above}/`))).toBe(false)
      }
    })
  )
})

describe('of what was found', () => {
  const standingOf = standingIn(planned('keep/file'), ROOT, leavesNothingOut)
  const found = (entries: Readonly<Record<string, RemoteKind>>): Found[] =>
    Object.entries(entries).map(([name, kind]) => {
      const path = `${ROOT}/${name}`
      return { path, kind, standing: standingOf(path) }
    })
  const gone = (entries: Readonly<Record<string, RemoteKind>>) => {
    const { files, directories } = extraneousAmong(found(entries))
    return [...files, ...directories.map(path => `${path}/`)].map(path => path.slice(ROOT.length + 1))
  }

  test('files and links go in order, then directories, what is in them first', () => {
    expect(
      gone({
        a: 'directory',
        'a/b': 'directory',
        'a/b/2': 'file',
        'a/b/1': 'symlink',
        'a-': 'directory',
        keep: 'directory',
        'keep/file': 'file'
      })
    ).toEqual(['a/b/1', 'a/b/2', 'a/b/', 'a-/', 'a/'])
  })

  test('a directory goes only when nothing stays in it', () => {
    expect(gone({ a: 'directory', 'a/x': 'file', 'a/b': 'directory', 'a/b/x.part': 'file' })).toEqual(['a/x'])
  })

  test('a directory that leads to files does not go, even when they are gone from the server', () => {
    expect(gone({ keep: 'directory', 'keep/old': 'file' })).toEqual(['keep/old'])
  })

  test('a link in place of a directory that leads to files stays', () => {
    expect(gone({ keep: 'symlink' })).toEqual([])
  })

  test('what is neither file, directory nor link stays, and so does the directory that it is in', () => {
    expect(gone({ a: 'directory', 'a/socket': 'other', 'a/file': 'file' })).toEqual(['a/file'])
  })
})
