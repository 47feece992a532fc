import { beforeEach, describe, expect, test } from '@jest/globals'
import { Log } from '../../src/run/log.js'
import { UploadError } from '../../src/core/errors.js'
import type { PlannedFile } from '../../src/core/plan.js'
import type { ResumeDecision } from '../../src/core/resume.js'
import { failed, file, skipped, uploaded } from './results.js'

const MEBIBYTE = 1024 * 1024
const LOST = new UploadError('connection-lost', 'read ECONNRESET')
const START = { action: 'start', why: 'no earlier upload is known', discard: false } as const

let lines: string[]
let log: Log
let time: number
let ticks: Set<() => void>

beforeEach(() => {
  lines = []
  time = 0
  ticks = new Set()
  log = new Log({
    output: {
      info: line => void lines.push(line),
      warning: line => void lines.push(`warning: ${line}`),
      error: line => void lines.push(`error: ${line}`),
      startGroup: name => void lines.push(`[${name}`),
      endGroup: () => void lines.push(']')
    },
    now: () => time,
    every: (_, run) => {
      ticks.add(run)
      return () => ticks.delete(run)
    }
  })
})

/** Ten seconds pass. */
function tick(): void {
  time += 10_000
  for (const run of ticks) run()
}

/** The lines since the last call. */
function told(): string[] {
  return lines.splice(0)
}

function begin(files: readonly PlannedFile[]): void {
  log.uploading(files)
  told()
}

test('planning and uploading are groups, the result is in the open', () => {
  const build = file('build.zip')
  log.planning()
  log.emit({ type: 'notice', text: 'One link is left out.' })
  log.uploading([build])
  log.emit({ type: 'connected', lanes: 1 })
  log.result({ results: [uploaded(build)], elapsedMs: 1000 }, { keepsState: true })
  expect(told()).toEqual([
    '[Planning',
    'One link is left out.',
    ']',
    '[Uploading 1 file, 1000 B',
    'Connected to the server.',
    ']',
    expect.stringMatching(/^The file is in place/),
    'In all sent 1000 B, 1.0 s, 1000 B/s.'
  ])
  expect(ticks.size).toBe(0)
})

test('closing twice ends a group once', () => {
  log.planning()
  log.close()
  log.close()
  expect(told()).toEqual(['[Planning', ']'])
})

describe('a file', () => {
  const build = file('build.zip', 3 * MEBIBYTE)

  test.each([
    [START, 'Starting build.zip from 0: no earlier upload is known'],
    [
      { action: 'continue', why: '1.0 MiB of 3.0 MiB are already on the server' } as const,
      'Continuing build.zip: 1.0 MiB of 3.0 MiB are already on the server'
    ],
    [
      { action: 'keep', why: 'all of it is on the server' } as const,
      'Keeping build.zip: all of it is on the server'
    ],
    [{ action: 'confirm', why: 'the answer was lost' } as const, 'Checking build.zip: the answer was lost'],
    [
      { action: 'skip', why: 'it is in place and unchanged' } as const,
      'Skipping build.zip: it is in place and unchanged'
    ]
  ])('has one line for its decision: %j', (decision, line) => {
    begin([build])
    log.emit({ type: 'decided', file: build, decision, keptBytes: 0 })
    expect(told()).toEqual([line])
  })

  test.each([
    [
      'uploaded',
      uploaded(build, MEBIBYTE),
      ['Uploaded build.zip: 3.0 MiB, sent 2.0 MiB, kept 1.0 MiB, 1.0 s, 2.0 MiB/s']
    ],
    ['failed', failed(build, LOST), ['Not in place: build.zip (read ECONNRESET)']],
    ['skipped', skipped(build), []]
  ])('has at most one line for its result: %s', (_, result, expected) => {
    begin([build])
    log.emit({ type: 'finished', result })
    expect(told()).toEqual(expected)
  })

  test('cannot forge a line or a command with its name', () => {
    const bad = file('::error::x\n::set-env::\u001b[2J')
    begin([bad])
    log.emit({ type: 'decided', file: bad, decision: START, keptBytes: 0 })
    log.emit({ type: 'finished', result: failed(bad, new UploadError('protocol', '\n::stop-commands::x')) })
    log.emit({ type: 'notice', text: '::add-mask::a' })
    log.emit({ type: 'warning', text: '##[error]a' })
    const shown = told()
    expect(shown).toHaveLength(4)
    for (const line of shown) expect(line).not.toMatch(/^\s*::|##\[|\p{Cc}/u)
  })
})

test('every reason of its own is an annotation, but for the first, with which the step ends', () => {
  const DENIED = new UploadError('permission', 'open b: Permission denied')
  const results = [failed(file('a'), LOST), failed(file('b'), DENIED), failed(file('c'), LOST)]
  log.result({ results, elapsedMs: 1 }, { keepsState: true })
  expect(told().slice(0, 3)).toEqual([
    'Not in place: a (read ECONNRESET)',
    'error: Not in place: b (open b: Permission denied)',
    'Not in place: c'
  ])
})

test('annotations end where GitHub shows no more', () => {
  const results = Array.from({ length: 20 }, (_, index) =>
    failed(file(`file-${index}`), new UploadError('permission', `open file-${index}: denied`))
  )
  log.result({ results, elapsedMs: 1 }, { keepsState: true })
  expect(told().filter(line => line.startsWith('error: '))).toHaveLength(9)
})

test('a retry tells what was seen, in one line', () => {
  const error = new UploadError('unreachable', 'connect to x: refused\nIt means.\nDo this.')
  log.emit({ type: 'retrying', error, delayMs: 1000, attempt: 1, attempts: 5 })
  expect(told()).toEqual(['The server could not be reached (connect to x: refused). Retry 1 of 5 in 1.0 s.'])
})

test('a retry says what ended and when it goes on', () => {
  log.emit({ type: 'retrying', error: LOST, delayMs: 2000, attempt: 2, attempts: 5 })
  expect(told()).toEqual(['The connection was lost (read ECONNRESET). Retry 2 of 5 in 2.0 s.'])
})

describe('progress', () => {
  const build = file('build.zip', 100 * MEBIBYTE)

  function acknowledge(bytes: number, of = build): void {
    log.emit({ type: 'acknowledged', file: of, bytes })
  }

  test('tells percent, bytes, speed of the last interval and time left', () => {
    begin([build])
    log.emit({ type: 'decided', file: build, decision: START, keptBytes: 0 })
    acknowledge(20 * MEBIBYTE)
    tick()
    acknowledge(40 * MEBIBYTE)
    tick()
    expect(told().slice(1)).toEqual([
      '20%, 20 MiB of 100 MiB, 2.0 MiB/s, 40 s left',
      '60%, 60 MiB of 100 MiB, 4.0 MiB/s, 10 s left'
    ])
  })

  test('counts kept bytes as done, not as speed', () => {
    begin([build])
    log.emit({
      type: 'decided',
      file: build,
      decision: { action: 'continue', why: '' },
      keptBytes: 50 * MEBIBYTE
    })
    acknowledge(10 * MEBIBYTE)
    tick()
    expect(told().at(-1)).toBe('60%, 60 MiB of 100 MiB, 1.0 MiB/s, 40 s left')
  })

  test('goes back when a file starts over', () => {
    begin([build])
    acknowledge(50 * MEBIBYTE)
    log.emit({ type: 'decided', file: build, decision: START, keptBytes: 0 })
    acknowledge(10 * MEBIBYTE)
    tick()
    expect(told().at(-1)).toMatch(/^10%/)
  })

  test('counts files where there are several, also skipped ones', () => {
    const other = file('other.zip', 100 * MEBIBYTE)
    begin([build, other])
    log.emit({ type: 'finished', result: skipped(other) })
    acknowledge(100 * MEBIBYTE)
    tick()
    expect(told().at(-1)).toMatch(/^100%, 200 MiB of 200 MiB, 1 of 2 files, /)
  })

  test('is not told while nothing moves, but silence is, ever more rarely', () => {
    begin([build])
    tick()
    expect(told()).toEqual([])
    acknowledge(MEBIBYTE)
    const spoken = Array.from({ length: 9 }, () => {
      tick()
      return told().length
    })
    expect(spoken).toEqual([1, 0, 1, 0, 1, 0, 0, 0, 1])
  })
})

describe('with many files', () => {
  const files = Array.from({ length: 3000 }, (_, index) => file(`assets/${index}`))
  const [first = file('none'), second = file('none')] = files

  test('what goes as expected is told every 1,000 files', () => {
    log.uploading(files)
    expect(told()).toEqual([expect.stringMatching(/^\[/), expect.stringContaining('1,000th')])
    for (const each of files) {
      log.emit({ type: 'decided', file: each, decision: START, keptBytes: 0 })
      log.emit({ type: 'finished', result: uploaded(each) })
    }
    expect(told()).toEqual(['Finished 1,000 files.', 'Finished 2,000 files.', 'Finished 3,000 files.'])
  })

  test('continuations, fresh starts of known files and failures are told', () => {
    begin(files)
    log.emit({ type: 'decided', file: first, decision: { action: 'continue', why: 'x' }, keptBytes: 1 })
    log.emit({ type: 'decided', file: second, decision: { ...START, discard: true }, keptBytes: 0 })
    log.emit({ type: 'finished', result: failed(first, LOST) })
    expect(told().map(line => line.split(' ')[0])).toEqual(['Continuing', 'Starting', 'Not'])
  })

  test('a common failure does not fill the log', () => {
    begin(files)
    const results = files.map(each => failed(each, LOST))
    for (const result of results) log.emit({ type: 'finished', result })
    log.result({ results, elapsedMs: 1 }, { keepsState: true })
    expect(told().length).toBeLessThan(150)
  })
})

describe('a dry run', () => {
  const app = file('www/app.zip', 4 * MEBIBYTE)
  const preview = (decision: ResumeDecision, keptBytes = 0) =>
    ({ type: 'previewed', file: app, decision, keptBytes }) as const

  test('names both sides, the bytes and the reason of every file', () => {
    log.previewing([app])
    log.emit(preview(START))
    log.emit(preview({ action: 'continue', why: 'some is there' }, MEBIBYTE))
    log.emit(preview({ action: 'confirm', why: 'its rename was lost' }, 4 * MEBIBYTE))
    log.emit(preview({ action: 'skip', why: 'it is in place' }, 4 * MEBIBYTE))
    expect(told()).toEqual([
      '[Dry run of 1 file, 4.0 MiB',
      'Would start www/app.zip from /project/www/app.zip (sends 4.0 MiB): no earlier upload is known',
      'Would continue www/app.zip from /project/www/app.zip (sends 3.0 MiB of 4.0 MiB): some is there',
      'Would check www/app.zip from /project/www/app.zip (4.0 MiB): its rename was lost',
      'Would skip www/app.zip from /project/www/app.zip (4.0 MiB): it is in place'
    ])
  })

  test('lists every one of many files', () => {
    const files = Array.from({ length: 5000 }, (_, index) => file(`${index}`))
    log.previewing(files)
    for (const of of files) log.emit({ type: 'previewed', file: of, decision: START, keptBytes: 0 })
    expect(told().filter(line => line.startsWith('Would start '))).toHaveLength(5000)
  })
})
