import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { formatFailure, formatSummary } from '../../src/action/summary.js'
import { UploadError } from '../../src/core/errors.js'
import type { FileResult, History, Report } from '../../src/core/report.js'
import { Historian } from '../../src/run/history.js'
import { failed, file, planned, skipped, uploaded } from '../run/results.js'

const CONTEXT = { keepsState: true }
const DISK_FULL = new UploadError('no-space', 'write b at 0: No space left on device')

const LOST = new UploadError('connection-lost', 'read ECONNRESET')
const MIB = 1024 * 1024
const SECOND = 1000

function summaryOf(results: readonly FileResult[], keepsState = true): string {
  return formatSummary({ results, elapsedMs: 2000 }, { keepsState })
}

/** Of a run that sends 1 MiB in each of so many steps; in the steps of `cuts` it loses the connection instead. */
function historyOf(steps: number, stepMs: number, cuts: readonly number[] = []): History {
  let now = 0
  const historian = new Historian(() => now)
  for (let step = 1; step <= steps; step++) {
    now = step * stepMs
    if (cuts.includes(step))
      historian.take({ type: 'retrying', error: LOST, delayMs: stepMs, attempt: 1, attempts: 5 })
    else historian.take({ type: 'acknowledged', file: file('a'), bytes: MIB })
  }
  return historian.tell()
}

function diagramsOf(results: readonly FileResult[], history: History, isDryRun = false): string[] {
  const report = { results, elapsedMs: history.elapsedMs, history }
  const summary = formatSummary(report, { keepsState: true, isDryRun })
  return [...summary.matchAll(/^```mermaid\n([^]*?)^```$/gm)].map(([, text = '']) => text)
}

/** The cells of the table whose head begins with this, by the names of its columns. */
function tableOf(summary: string, firstHead: string): Record<string, string>[] {
  const lines = summary.split('\n')
  const cellsOf = (line = '') =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim().replaceAll('\u00a0', ' '))
  const at = lines.findIndex(line => line.startsWith(`| ${firstHead} |`))
  const heads = cellsOf(lines[at])
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'))
  return lines
    .slice(at + 2, end)
    .map(line => Object.fromEntries(cellsOf(line).map((cell, column) => [heads[column] ?? '', cell])))
}

/** The rows of the table of files. */
function rowsOf(summary: string): string[] {
  return summary.split('\n').filter(line => line.includes('<code>'))
}

test('says first what happened and what a re-run will do', () => {
  const summary = summaryOf([uploaded(file('a')), failed(file('b', 4096), DISK_FULL, 2048)])
  expect(summary.split('\n')[0]).toMatch(/incomplete$/)
  expect(summary.split('\n')[2]).toBe(
    '1 file of 2 is not in place. A re-run skips what is in place and continues with up to 2.0 KiB of 4.0 KiB already on the server.'
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
  const dryRunOf = (report: Report) => formatSummary(report, { keepsState: true, isDryRun: true }).split('\n')
  const results = [planned(file('a', 4096), 1024), planned(file('b', 512)), skipped(file('c'))]

  test('says that it was one, and what a run would do', () => {
    const lines = dryRunOf({ results, elapsedMs: 10 })
    expect(lines[0]).toBe('### SFTP upload: dry run')
    expect(lines[2]).toBe(
      'This was a dry run, nothing was written on the server. A run uploads 2 files, sends 3.5 KiB, skips 1 unchanged file.'
    )
    expect(lines.filter(line => line.startsWith('| planned |'))).toHaveLength(2)
  })

  test('says it when nothing would be uploaded, too', () => {
    const [title, , text] = dryRunOf({ results: [skipped(file('c'))], elapsedMs: 10 })
    expect([title, text]).toEqual([
      '### SFTP upload: dry run',
      'This was a dry run, nothing was written on the server. A run skips 1 unchanged file.'
    ])
  })

  test('says what would be deleted, and what would fail', () => {
    const deletion = { removed: [], planned: ['x', 'y/'] }
    expect(dryRunOf({ results, elapsedMs: 10, deletion })[2]).toMatch(/, deletes 2 files and directories\.$/)
    const refused = { ...deletion, error: DISK_FULL }
    expect(dryRunOf({ results, elapsedMs: 10, deletion: refused })[2]).toMatch(/, fails to delete\.$/)
    const failing = [...results, failed(file('d'), DISK_FULL)]
    expect(dryRunOf({ results: failing, elapsedMs: 10 })[2]).toMatch(/, fails at 1 file\.$/)
  })
})

test('says what was deleted', () => {
  const deletion = { removed: ['x'], planned: [] }
  const summary = formatSummary({ results: [uploaded(file('a'))], elapsedMs: 10, deletion }, CONTEXT)
  expect(summary.split('\n')[2]).toContain(' Deleted 1 file or directory below remote-path. ')
})

describe('of a delete that failed', () => {
  const error = new UploadError('permission', 'remove www/<b>: Permission denied\nAsk somebody.')
  const linesOf = (removed: readonly string[], isDryRun = false) => {
    const deletion = { removed, planned: [], error }
    const report = { results: [uploaded(file('a'))], elapsedMs: 10, deletion }
    return formatSummary(report, { keepsState: true, isDryRun }).split('\n')
  }
  const reason = '<code>remove www/&#60;b&#62;&#58; Permission denied</code>'

  test('says what was deleted, that it was not everything, and why, as text', () => {
    const [title, , outcome, , why] = linesOf(['x', 'y/'])
    expect(title).toBe('### SFTP upload: complete, but not everything was deleted')
    expect(outcome).toContain(
      ' Deleted 2 files and directories below remote-path, but not all that is no part of the upload. '
    )
    expect(why).toBe(reason)
  })

  test('says that nothing was deleted', () => {
    expect(linesOf([])[2]).toContain(' Nothing was deleted below remote-path. ')
  })

  test('is no more than a reason in a dry run', () => {
    const [title, , , , why] = linesOf([], true)
    expect([title, why]).toEqual(['### SFTP upload: dry run', reason])
  })
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
    expect(row.split('|')).toHaveLength(7)
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

describe('what the server had before', () => {
  const savedOf = (results: readonly FileResult[], elapsedMs = 4000) =>
    formatSummary({ results, elapsedMs }, CONTEXT)
      .split('\n')
      .find(line => line.includes('not sent again'))

  test('comes with the time that it is worth at the pace of this run', () => {
    expect(savedOf([uploaded(file('a', 256 * MIB), 144 * MIB)])).toBe(
      '**144 MiB of 256 MiB were on the server already and were not sent again**: 56% saved, about 5.1 s at this pace.'
    )
  })

  test.each([
    ['a run that was too short', [uploaded(file('a', 2 * MIB), MIB)], 1_900, '50% saved.'],
    ['a little that was sent', [uploaded(file('a', 100 * MIB), 95 * MIB)], 4_000, '95% saved.'],
    ['a run that sent nothing', [skipped(file('a', MIB))], 60_000, '100% saved.'],
    ['hardly anything kept', [uploaded(file('a', 500), 1)], 1_000, ': less than 1% saved.']
  ])('is no time after %s', (_, results, elapsedMs, end) => {
    expect(savedOf(results, elapsedMs)?.endsWith(end)).toBe(true)
  })

  test('is not told where there was nothing, or in a dry run', () => {
    expect(savedOf([uploaded(file('a')), failed(file('b'), DISK_FULL)])).toBeUndefined()
    const dryRun = { results: [planned(file('a', 4096), 1024)], elapsedMs: 10 }
    expect(formatSummary(dryRun, { keepsState: true, isDryRun: true })).not.toContain('not sent again')
  })
})

describe('the totals', () => {
  test('have what there was, and no column for what there was not', () => {
    const results = [uploaded(file('a', 3 * MIB), MIB), uploaded(file('b', MIB)), skipped(file('c', MIB))]
    expect(tableOf(summaryOf(results), 'Files')).toEqual([
      {
        Files: '3',
        Uploaded: '2',
        Continued: '1',
        Skipped: '1',
        Total: '5.0 MiB',
        Sent: '3.0 MiB',
        Kept: '2.0 MiB',
        Time: '2.0 s',
        Speed: '1.5 MiB/s'
      }
    ])
    expect(
      Object.keys(tableOf(summaryOf([skipped(file('a', 0)), skipped(file('b', 0))]), 'Files')[0] ?? {})
    ).toEqual(['Files', 'Skipped', 'Time'])
  })

  test('of one file are those of its row', () => {
    const summary = summaryOf([uploaded(file('a', 2 * MIB))])
    expect(summary).not.toContain('| Files |')
    expect(tableOf(summary, 'Status')[0]).toMatchObject({
      Size: '2.0 MiB',
      Time: '1.0 s',
      Speed: '2.0 MiB/s'
    })
  })
})

describe('a row of a file', () => {
  test('has the bytes that it sent and kept where they differ from its size', () => {
    const rows = (results: readonly FileResult[]) =>
      Object.keys(tableOf(summaryOf(results), 'Status')[0] ?? {})
    const all = [uploaded(file('a')), uploaded(file('b'))]
    expect(rows(all)).toEqual(['Status', 'File', 'On the server', 'Size', 'Time'])
    expect(rows([skipped(file('a')), skipped(file('b'))])).toEqual(rows(all))
    expect(rows([...all, skipped(file('c'))])).toEqual([
      'Status',
      'File',
      'On the server',
      'Size',
      'Sent',
      'Kept',
      'Time'
    ])
  })

  const barsOf = (results: readonly FileResult[], isDryRun = false) =>
    tableOf(formatSummary({ results, elapsedMs: 10 }, { keepsState: true, isDryRun }), 'Status').map(
      row => /<code>(.*)<\/code>/.exec(row['On the server'] ?? '')?.[1]
    )

  test('has a bar as long as its size, of what was there, what was sent and what is missing', () => {
    const results = [
      { ...failed(file('a', 1600), DISK_FULL, 800), reusedBytes: 400 },
      uploaded(file('b', 800), 200),
      uploaded(file('c', 400)),
      skipped(file('d', 100)),
      uploaded(file('e', 1)),
      uploaded(file('f', 0))
    ]
    expect(barsOf(results)).toEqual(['▒▒▒▒████────────', '▒▒██████', '████', '▒', '█', ''])
    expect(summaryOf(results)).toContain('\n▒ there before · █ sent by this run · ─ missing\n')
  })

  test('never looks whole when it is not', () => {
    expect(barsOf([failed(file('a', 1000), DISK_FULL, 999), uploaded(file('b', 1000))])).toEqual([
      '███████████████─',
      '████████████████'
    ])
    expect(barsOf([failed(file('a', 10), DISK_FULL, 9), uploaded(file('b', 1000))])[0]).toBe('─')
  })

  test('has a legend only where there is more than what was sent', () => {
    expect(summaryOf([uploaded(file('a')), uploaded(file('b'))])).not.toContain('sent by this run')
  })

  test('has no bar where all of the one file was sent, or nothing of a dry run is there', () => {
    expect(barsOf([uploaded(file('a'))])).toEqual([undefined])
    expect(barsOf([planned(file('a')), planned(file('b'))], true)).toEqual([undefined, undefined])
    expect(barsOf([planned(file('a', 1600), 800), planned(file('b', 800))], true)).toEqual([
      '▒▒▒▒▒▒▒▒────────',
      '────────'
    ])
  })

  test('is folded away where there are many, in a table of its own', () => {
    const results = Array.from({ length: 20 }, (_, index) => uploaded(file(`file ${index}`)))
    const [open = '', folded = ''] = summaryOf(results).split('<details>\n<summary>5 more</summary>\n\n')
    expect([rowsOf(open).length, rowsOf(folded).length]).toEqual([15, 5])
    expect(folded).toMatch(/^\| Status \|.*\n\| :-- \|/)
  })
})

describe('the throughput', () => {
  const results = [uploaded(file('a'))]

  test('is drawn over the time of the run', () => {
    const [chart = ''] = diagramsOf(results, historyOf(200, 100))
    expect(chart).toContain('title "Throughput in MiB/s"')
    expect(chart).toContain('x-axis "time in s" 0 --> 20')
    const line = /line \[(.*)\]/.exec(chart)?.[1]?.split(', ') ?? []
    expect(line).toHaveLength(12)
    expect(line.slice(1).every(rate => Math.abs(Number(rate) - 10) < 1)).toBe(true)
  })

  test('has the units of a slow and long run, and a bounded number of points', () => {
    const [chart = ''] = diagramsOf(results, historyOf(5_000, 10 * SECOND))
    expect(chart).toContain('title "Throughput in KiB/s"')
    expect(chart).toContain('x-axis "time in h" 0 --> 13.89')
    expect(/line \[(.*)\]/.exec(chart)?.[1]?.split(', ')).toHaveLength(60)
  })

  test.each([
    ['short', historyOf(900, 10)],
    ['of few acknowledgements', historyOf(100, SECOND)],
    ['in which nothing was sent', historyOf(0, SECOND)]
  ])('is not drawn for a run that is %s', (_, history) => {
    expect(diagramsOf(results, history)).toEqual([])
  })

  test('is not drawn for a dry run', () => {
    expect(diagramsOf(results, historyOf(200, 100, [50]), true)).toEqual([])
  })
})

describe('the attempts', () => {
  const tasksOf = (...args: Parameters<typeof diagramsOf>) =>
    diagramsOf(...args)
      .find(text => text.includes('gantt'))
      ?.split('\n')
      .filter(line => / :(?:crit, )?\d/.test(line))
      .map(line => line.trim())

  test('are drawn with what each sent and why it ended', () => {
    expect(tasksOf([uploaded(file('a'))], historyOf(8, SECOND, [3, 5]))).toEqual([
      'sent 2.0 MiB, connection lost :crit, 0, 3000000',
      'sent 1.0 MiB, connection lost :crit, 4000000, 5000000',
      'sent 3.0 MiB :6000000, 8000000'
    ])
  })

  test('say of the last one why not everything is in place', () => {
    const last = (error: UploadError) =>
      tasksOf([failed(file('a'), error)], historyOf(20, SECOND, [3]))?.at(-1)
    expect(last(LOST)).toBe('sent 17 MiB, connection lost :crit, 4000, 20000')
    expect(last(DISK_FULL)).toContain(', disk full :crit')
    expect(last(new UploadError('permission', 'x'))).toContain(', not everything is in place :crit')
  })

  test('are told together where there are very many', () => {
    const cuts = Array.from({ length: 300 }, (_, index) => 2 * index + 2)
    const tasks = tasksOf([uploaded(file('a'))], historyOf(601, SECOND, cuts)) ?? []
    expect(tasks.length).toBeLessThan(14)
    expect(tasks[0]).toMatch(/^2\d\d attempts, sent 2\d\d MiB, connection lost :crit, 0,/)
  })

  test('that are over at once can be seen', () => {
    const [, second] = tasksOf([uploaded(file('a'))], historyOf(1500, SECOND, [10, 11])) ?? []
    expect(second).toBe('sent nothing, connection lost :crit, 183, 350')
  })

  describe('of earlier runs of the upload', () => {
    const history = { ...historyOf(8, SECOND, [3]), startedAt: 1_000_000 }
    const earlier = [
      { startedMs: 100_000, endedMs: 160_000, sentBytes: 30 * MIB },
      { startedMs: 880_000, endedMs: 940_000, sentBytes: 20 * MIB }
    ]
    const linesOf = (runs: typeof earlier) =>
      formatSummary({ results: [uploaded(file('a'))], elapsedMs: 8000, history, earlier: runs }, CONTEXT)
        .split('\n')
        .filter(line => /^ {2}(?:title|section|sent)/.test(line))
        .map(line => line.trim())

    test('come before those of this one, without the time between them', () => {
      expect(linesOf(earlier)).toEqual([
        'title Attempts, without the time between the runs',
        'section Run 1',
        'sent 30 MiB, 14 min 00 s before this run :done, 0, 60000',
        'section Run 2',
        'sent 20 MiB, 1 min 00 s before this run :done, 60000, 120000',
        'section This run',
        'sent 2.0 MiB, connection lost :crit, 120000, 123000',
        'sent 5.0 MiB :124000, 128000'
      ])
    })

    test('of a machine whose clock is ahead have no time', () => {
      const ahead = [{ startedMs: 2_000_000, endedMs: 1_999_000, sentBytes: MIB }]
      expect(linesOf(ahead)[2]).toBe('sent 1.0 MiB :done, 0, 53334')
    })
  })

  test('are not drawn where there was one', () => {
    expect(tasksOf([uploaded(file('a'))], historyOf(200, 100))).toBeUndefined()
  })
})

test('the diagrams hold nothing of file names and errors', () => {
  const history = historyOf(400, 100, [100, 200])
  const outside = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('```', '%%', '"', ';', '\n')
  )
  fc.assert(
    fc.property(outside, outside, outside, (one, other, message) => {
      const results = [uploaded(file(one)), failed(file(other), new UploadError('no-space', message))]
      expect(diagramsOf(results, history)).toEqual(
        diagramsOf([uploaded(file('a')), failed(file('b'), DISK_FULL)], history)
      )
    })
  )
})

test('stays small with very many files with long names, and says how many are not shown', () => {
  const results = Array.from({ length: 100_000 }, (_, index) =>
    failed(file(`${'<'.repeat(300)}${index}`), DISK_FULL)
  )
  const history = historyOf(600, SECOND, [100, 200, 300])
  const summary = formatSummary({ results, elapsedMs: history.elapsedMs, history }, CONTEXT)
  expect(Buffer.byteLength(summary)).toBeLessThan(400 * 1024)
  const shown = rowsOf(summary).length
  expect(shown).toBeGreaterThan(100)
  expect(summary.match(/^```mermaid$/gm)).toHaveLength(2)
  expect(summary.includes(`\n${(100_000 - shown).toLocaleString('en-US')} more are not listed.`)).toBe(true)
})
