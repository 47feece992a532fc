import { describe, expect, test } from '@jest/globals'
import { checksumLines, planChecksumFile } from '../../src/core/checksums.js'
import type { PlannedFile } from '../../src/core/plan.js'

const SHA256 = 'a1'.repeat(32)

function file(remote: string): PlannedFile {
  return { local: `/project/${remote}`, remote, size: 5 }
}

function text(files: readonly PlannedFile[], remotePath: string): string {
  const results = files.map(each => ({
    file: each,
    status: 'uploaded' as const,
    sentBytes: 5,
    reusedBytes: 0,
    elapsedMs: 1,
    digest: Buffer.from(SHA256, 'hex').toString('base64')
  }))
  return [...checksumLines(results, remotePath)].join('')
}

function plan(files: readonly PlannedFile[], remotePath: string, place = 'SHA256SUMS'): PlannedFile {
  return planChecksumFile(files, { remotePath, place, local: '/tmp/sums' })
}

describe('the lines of checksums', () => {
  test.each([
    ['www', 'www/a.zip', 'a.zip'],
    ['www/', 'www/docs/a b.html', 'docs/a b.html'],
    ['./www//x', 'www/x/a', 'a'],
    ['.', 'a/b', 'a/b'],
    ['/', '/a', 'a'],
    ['/srv/www', '/srv/www/ü', 'ü']
  ])('name files relative to remote-path: %s, %s', (remotePath, remote, name) => {
    expect(text([file(remote)], remotePath)).toBe(`${SHA256}  ${name}\n`)
  })

  test.each([
    ['a\\b', 'a\\\\b'],
    ['a\nb', 'a\\nb'],
    ['a\rb', 'a\\rb'],
    ['a\\nb', 'a\\\\nb']
  ])('escape a name as coreutils do: %j', (name, escaped) => {
    expect(text([file(`www/${name}`)], 'www')).toBe(`\\${SHA256}  ${escaped}\n`)
  })

  test('are refused where a digest is not known', () => {
    const result = { file: file('a'), status: 'skipped' as const, sentBytes: 0, reusedBytes: 5, elapsedMs: 1 }
    expect(() => [...checksumLines([result], '.')]).toThrow(
      expect.objectContaining({
        code: 'not-verified',
        message: 'write the checksums: that of a is not known'
      })
    )
  })
})

describe('the file of checksums', () => {
  test('has the size that was planned', () => {
    const files = ['a', 'docs/ü b', 'x\\y', 'x\ny'].map(name => file(`www/${name}`))
    const planned = plan(files, 'www', 'meta/SHA256SUMS')
    expect(planned).toEqual({
      local: '/tmp/sums',
      remote: 'www/meta/SHA256SUMS',
      size: Buffer.byteLength(text(files, 'www'))
    })
  })

  test.each([
    ['SHA256SUMS', 'www/SHA256SUMS'],
    ['docs', 'www/docs/a'],
    ['docs/sums', 'www/docs']
  ])('at %s is not where another file goes: %s', (place, remote) => {
    expect(() => plan([file('www/b'), file(remote)], 'www', place)).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: `checksum-file: must be a path that no other file needs; /project/${remote} goes to ${remote}`
      })
    )
  })

  test('may have a name that begins as another does', () => {
    expect(plan([file('www/SHA256SUMS.asc')], 'www').remote).toBe('www/SHA256SUMS')
  })
})
