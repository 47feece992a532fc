import { describe, expect, test } from '@jest/globals'
import { PassThrough } from 'node:stream'
import { Bar, Pace } from '../../src/cli/bar.js'
import { Progress } from '../../src/run/progress.js'
import { file } from '../run/results.js'

const mebibyte = 1024 * 1024
const app = file('app.bin', 10 * mebibyte)

describe('the pace', () => {
  test('is that of the last seconds, with the time that is left', () => {
    let now = 0
    const progress = new Progress([app], () => now)
    const pace = new Pace(progress, () => now)
    expect(pace.text()).toBe('0%, 0 B of 10 MiB')
    now = 1000
    progress.take({ type: 'acknowledged', file: app, bytes: 2 * mebibyte })
    expect(pace.text()).toBe('20%, 2.0 MiB of 10 MiB, 2.0 MiB/s, 4.0 s left')
    for (let seconds = 2; seconds < 20; seconds += 1) {
      now = seconds * 1000
      pace.text()
    }
    expect(pace.text()).toBe('20%, 2.0 MiB of 10 MiB, 0 B/s')
  })

  test('does not count what an earlier attempt sent', () => {
    let now = 0
    const progress = new Progress([app], () => now)
    const pace = new Pace(progress, () => now)
    pace.text()
    now = 1000
    const decision = { action: 'continue', why: 'made up' } as const
    progress.take({ type: 'decided', file: app, decision, keptBytes: 5 * mebibyte })
    progress.take({ type: 'acknowledged', file: app, bytes: mebibyte })
    expect(pace.text()).toBe('60%, 6.0 MiB of 10 MiB, 1.0 MiB/s, 4.0 s left')
  })
})

describe('the bar', () => {
  function terminal(columns: number) {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns, rows: 24 })
    const written = () => String(stream.read() ?? '')
    // What the bar uses of a terminal.
    return { stream: stream as unknown as NodeJS.WriteStream, written }
  }

  test.each([
    [80, '████████████░░░░░░░░░░░░ 50%, 5.0 MiB of 10 MiB'],
    [30, '███░░░ 50%, 5.0 MiB of 10 MiB'],
    [20, ' 50%, 5.0 MiB of 10 ']
  ])('fits into %i columns', (columns, expected) => {
    const { stream, written } = terminal(columns)
    const progress = new Progress([app], () => 0)
    progress.take({ type: 'acknowledged', file: app, bytes: 5 * mebibyte })
    new Bar(stream, () => 0).show(progress)()
    expect(written()).toContain(expected)
  })

  test('writes lines that came late before it goes', () => {
    const { stream, written } = terminal(80)
    const bar = new Bar(stream, () => 0)
    const listeners = process.listenerCount('exit')
    bar.write('before')
    const stop = bar.show(new Progress([app], () => 0))
    bar.write('meanwhile')
    stop()
    bar.write('after')
    const text = written()
    expect([...text.matchAll(/before|meanwhile|after/g)].map(([word]) => word)).toEqual([
      'before',
      'meanwhile',
      'after'
    ])
    expect(text.indexOf('\x1b[?25h')).toBeGreaterThan(text.indexOf('meanwhile'))
    expect(process.listenerCount('exit')).toBe(listeners)
  })

  test('moves by itself', async () => {
    const { stream } = terminal(80)
    const progress = new Progress([app], () => 0)
    const stop = new Bar(stream, () => 0).show(progress)
    try {
      progress.take({ type: 'acknowledged', file: app, bytes: 5 * mebibyte })
      await new Promise<void>(resolve => {
        stream.on('data', (bytes: Buffer) => {
          if (bytes.includes('50%')) resolve()
        })
      })
    } finally {
      stop()
    }
  })
})
