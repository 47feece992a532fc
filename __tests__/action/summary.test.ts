import { describe, expect, test } from '@jest/globals'
import { formatFailure, formatSummary } from '../../src/action/summary.js'
import { UploadError } from '../../src/core/errors.js'
import type { FileResult } from '../../src/core/report.js'
import { failed, file, planned, skipped, uploaded } from '../run/results.js'

const CONTEXT = { keepsState: true }
const DISK_FULL = new UploadError('no-space', 'write b at 0: No space left on device')

function summaryOf(results: readonly FileResult[], keepsState = true): string {
  return formatSummary({ results, elapsedMs: 2000 }, { keepsState })
}

/** The rows of the table of files. */
function rowsOf(summary: string): string[] {
  return summary.split('\n').filter(line => line.includes('<code>'))
}

test('says first what happened and what a re-run will do', () => {
  const summary = summaryOf([uploaded(file('a')), failed(file('b', 4096), DISK_FULL, 2048)])
  expect(summary.split('\n')[0]).toMatch(/incomplete$/)
  expect(summary.split('\n')[2]).toBe(
    '1 file of 2 is not in place. A re-run skips what is in place and continues with 2.0 KiB of 4.0 KiB already on the server.'
  )
})

test.each([
  ['nothing is kept', [failed(file('a', 4096), DISK_FULL, 2048)], false, 'starts from zero'],
  ['nothing is on the server', [failed(file('a', 4096), DISK_FULL)], true, 'A re-run sends at most 4.0 KiB.'],
  ['all is in place', [uploaded(file('a')), skipped(file('b'))], true, 'All 2 files are in place'],
  ['there are no files', [], true, 'There was nothing to upload.']
])('says so when %s', (_, results, keepsState, text) => {
  expect(summaryOf(results, keepsState)).toContain(text)
})

describe('of a dry run', () => {
  const dryRunOf = (...args: Parameters<typeof formatSummary>) =>
    formatSummary(args[0], { keepsState: true, isDryRun: true }).split('\n')
  const results = [planned(file('a', 4096), 1024), planned(file('b', 512)), skipped(file('c'))]

  test('says that it was one, and what a run would do', () => {
    const lines = dryRunOf({ results, elapsedMs: 10 }, CONTEXT)
    expect(lines[0]).toBe('### SFTP upload: dry run')
    expect(lines[2]).toBe(
      'This was a dry run, nothing was written on the server. A run uploads 2 files, sends 3.5 KiB, skips 1 unchanged file.'
    )
    expect(lines.filter(line => line.startsWith('| planned |'))).toHaveLength(2)
  })

  test('says it when nothing would be uploaded, too', () => {
    const [title, , text] = dryRunOf({ results: [skipped(file('c'))], elapsedMs: 10 }, CONTEXT)
    expect([title, text]).toEqual([
      '### SFTP upload: dry run',
      'This was a dry run, nothing was written on the server. A run skips 1 unchanged file.'
    ])
  })

  test('says what would be deleted, and what would fail', () => {
    const deletion = { removed: [], planned: ['x', 'y/'] }
    expect(dryRunOf({ results, elapsedMs: 10, deletion }, CONTEXT)[2]).toMatch(
      /, deletes 2 files and directories\.$/
    )
    const refused = { ...deletion, error: DISK_FULL }
    expect(dryRunOf({ results, elapsedMs: 10, deletion: refused }, CONTEXT)[2]).toMatch(
      /, fails to delete\.$/
    )
    const failing = [...results, failed(file('d'), DISK_FULL)]
    expect(dryRunOf({ results: failing, elapsedMs: 10 }, CONTEXT)[2]).toMatch(/, fails at 1 file\.$/)
  })
})

test('says what was deleted', () => {
  const deletion = { removed: ['x'], planned: [] }
  const summary = formatSummary({ results: [uploaded(file('a'))], elapsedMs: 10, deletion }, CONTEXT)
  expect(summary.split('\n')[2]).toContain(' Deleted 1 file or directory below remote-path. ')
})

test('has a row for each file: failed ones first, with the error, then the largest', () => {
  const rows = rowsOf(
    summaryOf([uploaded(file('small', 1)), uploaded(file('large', 9999)), failed(file('bad', 5), DISK_FULL)])
  )
  expect(rows.map(row => /<code>(.*?)<\/code>/.exec(row)?.[1])).toEqual(['bad', 'large', 'small'])
  expect(rows[0]).toContain('No space left on device')
})

describe('text from outside stays text', () => {
  test.each([
    ['a|b'],
    ['a`b`'],
    ['<script>'],
    ['</code></td>'],
    ['@octocat'],
    ['[x](y)'],
    ['![x](y)'],
    ['**x**'],
    ['_x_'],
    ['~~x~~'],
    ['https://x.y'],
    ['&lt;'],
    ['#1'],
    ['\\|']
  ])('%s', name => {
    const [row = ''] = rowsOf(summaryOf([uploaded(file(name))]))
    const inner = /<code>(.*)<\/code>/.exec(row)?.[1] ?? ''
    expect(inner.replace(/&#\d+;/g, '')).toMatch(/^[\w./,()+=% -]*$/)
    expect(inner.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))).toBe(name)
    expect(row.split('|')).toHaveLength(8)
  })

  test('a line break is shown as an escape', () => {
    expect(rowsOf(summaryOf([uploaded(file('a\nb'))]))).toHaveLength(1)
  })
})

describe('of a failure before the upload', () => {
  test('says what was seen and what to do, a line each, as text', () => {
    const error = new UploadError('host-key', 'host key of x: <b>\nCompare it.\nx ssh-ed25519 AAAA+/=')
    expect(formatFailure(error).trimEnd().split('\n')).toEqual([
      '### SFTP upload: not begun',
      '',
      'Nothing was sent.',
      '',
      '<code>host key of x&#58; &#60;b&#62;</code><br>',
      '<code>Compare it.</code><br>',
      '<code>x ssh-ed25519 AAAA+/=</code>'
    ])
  })

  test('adds what to do where the message does not say it', () => {
    expect(formatFailure(new UploadError('no-files', 'paths: none'))).toMatch(/paths[^]*earlier step/)
  })
})

test('stays small with very many files with long names, and says how many are not shown', () => {
  const results = Array.from({ length: 100_000 }, (_, index) =>
    failed(file(`${'<'.repeat(300)}${index}`), DISK_FULL)
  )
  const summary = summaryOf(results)
  expect(Buffer.byteLength(summary)).toBeLessThan(400 * 1024)
  const shown = rowsOf(summary).length
  expect(shown).toBeGreaterThan(100)
  expect(summary).toContain(`… and ${(100_000 - shown).toLocaleString('en-US')} more`)
})
