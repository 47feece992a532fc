import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { Log } from '../../src/run/log.js'
import { outputsOf } from '../../src/action/outputs.js'
import { formatSummary } from '../../src/action/summary.js'
import { UploadError } from '../../src/core/errors.js'
import type { FileResult } from '../../src/core/report.js'
import type { ResumeDecision } from '../../src/core/resume.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { failed, file, skipped, uploaded } from '../run/results.js'

/** What would do harm in a log, in Markdown or in HTML, if it came through. */
const harmful = fc.constantFrom(
  '::error::x',
  '::set-output name=a::b',
  '::add-mask::a',
  '::stop-commands::x',
  '##[error]',
  '##[command]',
  '\n',
  '\r',
  '\r\n',
  '\u2028',
  '\u0085',
  '\u001b[2J',
  '\u009b31m',
  '\u202e',
  '\0',
  '\t',
  ' ',
  '%0A',
  '|',
  '\\|',
  '`',
  '</code>',
  '<img src=x onerror=alert(1)>',
  '<details>',
  '<!--',
  '&lt;',
  '@octocat',
  '[x](http://x.y)',
  '![x](y)',
  'www.x.y',
  '***',
  '~~',
  '\n\n# x',
  '$' + '{{ secrets.KEY }}',
  '\ud800'
)
const text = fc
  .array(fc.oneof(harmful, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 8 })
  .map(parts => parts.join(''))

const result: fc.Arbitrary<FileResult> = fc.tuple(text, text, fc.nat(3)).map(([name, message, kind]) => {
  const of = file(name)
  if (kind === 0) return uploaded(of, 10)
  if (kind === 1) return skipped(of)
  return failed(of, new UploadError('server-failure', message), 5)
})

function eventsOf(result: FileResult, words: string): UploadEvent[] {
  const decisions: ResumeDecision[] = [
    { action: 'start', why: words, discard: true },
    { action: 'continue', why: words },
    { action: 'confirm', why: words },
    { action: 'skip', why: words }
  ]
  const error = new UploadError('connection-lost', words)
  return [
    ...decisions.map(decision => ({ type: 'decided', file: result.file, decision, keptBytes: 0 }) as const),
    { type: 'retrying', error, delayMs: 1, attempt: 1, attempts: 2 },
    { type: 'notice', text: words },
    { type: 'warning', text: words },
    { type: 'finished', result }
  ]
}

test('no name and no word of a server makes a line of the log, a command, or moves the cursor', () => {
  const property = fc.property(fc.array(result, { minLength: 1, maxLength: 4 }), text, (results, words) => {
    const lines: string[] = []
    const take = (line: string) => void lines.push(line)
    const output = { info: take, warning: take, error: take, startGroup: take, endGroup: () => undefined }
    const log = new Log({ output, now: () => 0, every: () => () => undefined })
    log.planning()
    log.uploading(results.map(each => each.file))
    for (const each of results) for (const event of eventsOf(each, words)) log.emit(event)
    log.result({ results, elapsedMs: 1 }, { keepsState: true })
    expect(lines.length).toBeGreaterThan(8)
    for (const line of lines) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
      expect(line).not.toMatch(/^\s*::|##\[/)
    }
  })
  fc.assert(property, { numRuns: 300 })
})

test('no name and no word of a server is more than text in the summary', () => {
  const property = fc.property(fc.array(result, { minLength: 1, maxLength: 4 }), results => {
    const summary = formatSummary({ results, elapsedMs: 1 }, { keepsState: true })
    const rows = summary.split('\n').filter(line => line.includes('<code>'))
    expect(rows).toHaveLength(results.length)
    const ours = formatSummary(
      { results: results.map(each => ({ ...each, file: file(''), error: undefined })), elapsedMs: 1 },
      { keepsState: true }
    )
    expect(summary.split('\n')).toHaveLength(ours.split('\n').length)
    const cells = ours
      .split('\n')
      .find(line => line.startsWith('| Status |'))
      ?.split('|')
    for (const line of rows) {
      const row = line.replace(/<code>[█▒─]+<\/code> (?=\|)/, '')
      expect(row.split('|')).toHaveLength(cells?.length ?? 0)
      const inside = [...row.matchAll(/<code>(.*?)<\/code>/g)].map(([, text = '']) => text)
      for (const text of inside)
        expect(text.replace(/&#\d+;/g, '')).toMatch(/^[\p{L}\p{M}\p{N} ./,()+=%-]*…?$/u)
      const markup = row.replace(/<code>.*?<\/code>/g, '').replace('<br>', '')
      expect(markup).not.toMatch(/[<>`@[\]&]/)
    }
  })
  fc.assert(property, { numRuns: 300 })
})

test('the list of files in the outputs is one line of JSON that gives every name back', () => {
  const property = fc.property(fc.array(result, { maxLength: 4 }), results => {
    const { files } = outputsOf({ results, elapsedMs: 1 })
    expect(files).not.toMatch(/[\r\n]/)
    const names = (JSON.parse(files) as { remote: string }[]).map(({ remote }) => remote).sort()
    expect(names).toEqual(results.map(({ file }) => file.remote).sort())
  })
  fc.assert(property)
})
