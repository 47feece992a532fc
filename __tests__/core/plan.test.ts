import { posix } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UploadError } from '../../src/core/errors.js'
import { bytesOf, type MatchedFile, parentOf, type PlannedFile, planUpload } from '../../src/core/plan.js'

function matched(local: string, ...place: readonly string[]): MatchedFile {
  return { local, place, size: local.length }
}

/** The plan, or the code of what refuses it. */
function outcome(matches: readonly MatchedFile[], remotePath: string): readonly PlannedFile[] | string {
  try {
    return planUpload(matches, remotePath)
  } catch (error) {
    if (error instanceof UploadError) return error.code
    throw error
  }
}

describe('the remote path', () => {
  test.each([
    { remotePath: '.', place: ['app.zip'], remote: 'app.zip' },
    { remotePath: './', place: ['app.zip'], remote: 'app.zip' },
    { remotePath: 'releases', place: ['app.zip'], remote: 'releases/app.zip' },
    { remotePath: './releases/', place: ['v1', 'app.zip'], remote: 'releases/v1/app.zip' },
    { remotePath: '/', place: ['app.zip'], remote: '/app.zip' },
    { remotePath: '//srv//www/./', place: ['app.zip'], remote: '/srv/www/app.zip' },
    { remotePath: '..', place: ['app.zip'], remote: '../app.zip' },
    { remotePath: 'a/../b', place: ['app.zip'], remote: 'a/../b/app.zip' },
    { remotePath: '.', place: ['...', '.env'], remote: '.../.env' },
    { remotePath: '~', place: ['app.zip'], remote: '~/app.zip' },
    { remotePath: 'with space', place: ['ä', 'b\\c'], remote: 'with space/ä/b\\c' }
  ])('of $place below $remotePath is $remote', ({ remotePath, place, remote }) => {
    const file = { local: '/project/file', place, size: 7 }
    expect(planUpload([file], remotePath)).toEqual([{ local: '/project/file', remote, size: 7 }])
  })
})

describe('a plan', () => {
  test('of nothing is empty', () => {
    expect(planUpload([], 'releases')).toEqual([])
  })

  test('is sorted by remote path', () => {
    const files = [matched('/1', 'b'), matched('/2', 'a', 'z'), matched('/3', 'a-z'), matched('/4', 'B')]
    expect(planUpload(files, '.').map(({ remote }) => remote)).toEqual(['B', 'a-z', 'a/z', 'b'])
  })

  test('holds a file once that matched twice', () => {
    const file = matched('/project/app.zip', 'app.zip')
    expect(planUpload([file, { ...file }], '.')).toHaveLength(1)
  })

  test('sends one local file to two places when it is told to', () => {
    const files = [
      matched('/project/app.zip', 'v1', 'app.zip'),
      matched('/project/app.zip', 'latest', 'app.zip')
    ]
    expect(planUpload(files, '.').map(({ remote }) => remote)).toEqual(['latest/app.zip', 'v1/app.zip'])
  })

  test('refuses two local files for one remote path, and names all three', () => {
    const files = [matched('/project/a/app.zip', 'app.zip'), matched('/project/b/app.zip', 'app.zip')]
    expect(outcome(files, 'up')).toBe('invalid-input')
    expect(() => planUpload(files, 'up')).toThrow(
      /\/project\/a\/app\.zip .*\/project\/b\/app\.zip .*up\/app\.zip/
    )
  })

  test.each([
    { name: 'right above', file: ['a'], inside: ['a', 'b'] },
    { name: 'far above', file: ['a'], inside: ['a', 'b', 'c', 'd'] },
    { name: 'above, below an absolute path', file: ['x', 'a'], inside: ['x', 'a', 'b'] }
  ])('refuses a file whose path is a directory $name another, in either order', ({ file, inside }) => {
    const files = [matched('/1', ...file), matched('/2', ...inside)]
    expect(outcome(files, '/srv')).toBe('invalid-input')
    expect(outcome(files.toReversed(), 'srv')).toBe('invalid-input')
    expect(() => planUpload(files, '/srv')).toThrow(
      `paths: /1 goes to /srv/${file.join('/')}, which must be a directory for /2 (/srv/${inside.join('/')})`
    )
  })

  test.each([
    { one: ['a'], other: ['ab'] },
    { one: ['a'], other: ['a.b', 'c'] },
    { one: ['b', 'a'], other: ['a'] },
    { one: ['a'], other: ['A'] }
  ])('takes $one and $other, which only look alike', ({ one, other }) => {
    expect(planUpload([matched('/1', ...one), matched('/2', ...other)], '.')).toHaveLength(2)
  })
})

test('the bytes of files are those of all together', () => {
  expect(bytesOf(planUpload([matched('/1', 'a'), matched('/three', 'b')], '.'))).toBe(8)
  expect(bytesOf([])).toBe(0)
})

describe('the directory above', () => {
  test.each([
    { path: 'a/b/c', above: 'a/b' },
    { path: 'a/b', above: 'a' },
    { path: '/a/b', above: '/a' },
    { path: '../a', above: '..' },
    { path: 'a', above: undefined },
    { path: '/a', above: undefined },
    { path: '/', above: undefined }
  ])('$path that may have to be made is $above', ({ path, above }) => {
    expect(parentOf(path)).toBe(above)
  })
})

describe('for any files', () => {
  const part = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', '...', '..a', ' ', 'a b', '\\', '-') },
    {
      weight: 1,
      arbitrary: fc.string({ unit: 'binary', minLength: 1 }).map(text => `x${text.replaceAll('/', '|')}`)
    }
  )
  const place = fc.array(part, { minLength: 1, maxLength: 4 })
  const matches = fc
    .array(fc.record({ place, origin: fc.nat(9), size: fc.nat() }), { maxLength: 8 })
    .map(files => files.map(({ place, origin, size }) => ({ local: `/project/${origin}`, place, size })))
    .map(files => files.filter((file, at) => files.findIndex(({ local }) => local === file.local) === at))
  const remotePath = fc.oneof(
    fc.constantFrom('.', './', '/', '..', '../..', 'a', '/a', 'a//b/./c/', '/srv/../www', '././a'),
    fc
      .tuple(fc.constantFrom('', '/', './'), fc.array(part, { minLength: 1, maxLength: 3 }))
      .map(([start, parts]) => start + parts.join('/'))
  )

  test('two files get one remote path, or one inside the other, only if the plan is refused', () => {
    fc.assert(
      fc.property(matches, remotePath, (files, base) => {
        const places = files.map(file => file.place.join('/'))
        const clash = places.some((one, at) =>
          places.some((other, index) => index !== at && (other === one || other.startsWith(`${one}/`)))
        )
        const plan = outcome(files, base)
        if (clash) {
          expect(plan).toBe('invalid-input')
        } else {
          expect(plan).toHaveLength(files.length)
          expect(new Set(planUpload(files, base).map(({ remote }) => remote)).size).toBe(files.length)
        }
      })
    )
  })

  test('the plan does not depend on the order of the matches', () => {
    const shuffled = matches.chain(files =>
      fc.record({
        files: fc.constant(files),
        other: fc.shuffledSubarray(files, { minLength: files.length, maxLength: files.length })
      })
    )
    fc.assert(
      fc.property(shuffled, remotePath, ({ files, other }, base) => {
        expect(outcome(other, base)).toEqual(outcome(files, base))
      })
    )
  })

  test('no file leaves the remote path, nor changes between absolute and relative', () => {
    fc.assert(
      fc.property(place, remotePath, (parts, base) => {
        const [file] = planUpload([{ local: '/project/file', place: parts, size: 1 }], base)
        const remote = file?.remote ?? ''
        expect(posix.relative(base, remote).split('/')).toEqual(parts)
        expect(posix.isAbsolute(remote)).toBe(posix.isAbsolute(base))
        expect(remote.split('/').slice(-parts.length)).toEqual(parts)
      })
    )
  })
})
