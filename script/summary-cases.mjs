// Summaries of runs of every kind, made by the code of the action (compiled to lib/).
import fc from 'fast-check'
import { formatFailure, formatSummary } from '../lib/action/summary.js'
import { UploadError } from '../lib/core/errors.js'
import { Historian } from '../lib/run/history.js'

const MIB = 1024 * 1024
const SECOND = 1000
const MINUTE = 60 * SECOND
/** When the runs begin. */
const START = 1_700_000_000_000
const LOST = new UploadError('connection-lost', 'write releases/site.tar.part: the connection was reset')

const file = (remote, size) => ({ local: `/project/${remote}`, remote, size })
const uploaded = (of, elapsedMs, reusedBytes = 0) => ({
  file: of,
  status: 'uploaded',
  sentBytes: of.size - reusedBytes,
  reusedBytes,
  elapsedMs
})
const skipped = of => ({ file: of, status: 'skipped', sentBytes: 0, reusedBytes: of.size, elapsedMs: 40 })
const planned = (of, reusedBytes = 0) => ({
  file: of,
  status: 'planned',
  sentBytes: 0,
  reusedBytes,
  elapsedMs: 40
})
const failed = (of, error, elapsedMs, continuesWith = 0, reusedBytes = 0) => ({
  file: of,
  status: 'failed',
  sentBytes: continuesWith - reusedBytes,
  reusedBytes,
  elapsedMs,
  error,
  continuesWith
})

/** Follows a run whose line is now faster, now slower, and lost after each of the times in `cuts`. */
export function historyOf({ elapsedMs, sentBytes, cuts = [], delayMs = 2 * SECOND, seed = 1 }) {
  let now = START
  const historian = new Historian(() => now)
  const steps = 2000
  const lost = [...cuts]
  let up = START + elapsedMs * 0.01
  for (let step = 1; step <= steps; step++) {
    now = START + (elapsedMs * step) / steps
    if (lost[0] !== undefined && now - START >= lost[0]) {
      historian.take({ type: 'retrying', error: LOST, delayMs, attempt: 1, attempts: 5 })
      up = START + lost.shift() + delayMs
    }
    const swing = 1 + 0.25 * Math.sin(step / (37 + seed)) + 0.1 * Math.sin(step * seed)
    if (now >= up) historian.take({ type: 'acknowledged', file: {}, bytes: (sentBytes / steps) * swing })
  }
  historian.take({ type: 'notice', text: '' })
  return historian.tell()
}

/** By name; `diagrams` is how many there must be. */
export const CASES = {
  'one small file in 0.2 s': {
    diagrams: 0,
    markdown: summary([uploaded(file('releases/notes.txt', 4_200), 120)], 200)
  },
  'a site, everything new, 8 s': {
    diagrams: 0,
    markdown: summary(
      siteFiles(40).map(of => uploaded(of, 300)),
      8 * SECOND
    )
  },
  'one large file, new, 2 min': {
    diagrams: 1,
    markdown: summary([uploaded(file('releases/site.tar', 1400 * MIB), 121 * SECOND)], 122 * SECOND)
  },
  'continued after a cut': {
    diagrams: 2,
    markdown: summary(
      [
        uploaded(file('releases/site.tar', 256 * MIB), 14 * SECOND, 144 * MIB),
        uploaded(file('releases/docs.tar', 60 * MIB), 9 * SECOND),
        skipped(file('releases/logo.svg', 20_000)),
        skipped(file('releases/old.tar', 90 * MIB))
      ],
      24 * SECOND,
      { cuts: [9 * SECOND] }
    )
  },
  'the third run of an upload': {
    diagrams: 2,
    markdown: summary(
      [uploaded(file('releases/site.tar', 900 * MIB), 40 * SECOND, 610 * MIB)],
      41 * SECOND,
      { cuts: [11 * SECOND] },
      [runBefore(190 * MINUTE, 80 * SECOND, 400 * MIB), runBefore(12 * MINUTE, 35 * SECOND, 210 * MIB)]
    )
  },
  'nothing changed': {
    diagrams: 0,
    markdown: summary(siteFiles(12).map(skipped), 900)
  },
  'failed, 5 attempts': {
    diagrams: 2,
    markdown: summary(
      [
        failed(file('releases/site.tar', 256 * MIB), LOST, 90 * SECOND, 170 * MIB, 144 * MIB),
        failed(file('releases/docs.tar', 60 * MIB), LOST, 0),
        uploaded(file('releases/logo.svg', 20_000), 300)
      ],
      95 * SECOND,
      { cuts: [30, 33, 38, 70].map(seconds => seconds * SECOND), delayMs: 5 * SECOND }
    )
  },
  'disk full': {
    diagrams: 0,
    markdown: summary(
      [
        failed(
          file('releases/site.tar', 256 * MIB),
          new UploadError(
            'no-space',
            'write releases/site.tar.1f00.part at 1048576: No space left on device'
          ),
          4 * SECOND,
          100 * MIB
        )
      ],
      4 * SECOND
    )
  },
  '3,000 files, 3 h, 200 cuts': {
    diagrams: 2,
    markdown: summary(
      siteFiles(3000).map(of => uploaded(of, 2 * SECOND)),
      180 * MINUTE,
      {
        cuts: Array.from({ length: 200 }, (_, index) => (index + 1) * 50 * SECOND),
        delayMs: 10 * SECOND
      }
    )
  },
  'dry run': {
    diagrams: 0,
    markdown: formatSummary(
      {
        results: [
          planned(file('releases/site.tar', 256 * MIB), 144 * MIB),
          planned(file('releases/docs.tar', 60 * MIB)),
          skipped(file('releases/logo.svg', 20_000))
        ],
        elapsedMs: 800,
        history: historyOf({ elapsedMs: 800, sentBytes: 0 })
      },
      { keepsState: true, isDryRun: true }
    )
  },
  'not begun': {
    diagrams: 0,
    markdown: formatFailure(
      new UploadError('no-files', 'paths: must match at least one file; found none for dist/**')
    )
  },
  'names made to break it': {
    diagrams: 2,
    names: hostileNames(),
    markdown: summary(
      hostileNames().map(name => uploaded(file(name, 9 * MIB), SECOND)),
      30 * SECOND,
      {
        cuts: [9 * SECOND]
      }
    )
  }
}

/** As many runs with names, sizes and times at random. */
export function randomCases(count, seed) {
  const run = fc.record({
    names: fc.uniqueArray(
      fc.oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
        fc
          .array(
            fc.constantFrom(
              '"',
              ';',
              '%%',
              ']',
              ')',
              '`',
              '```',
              '\n',
              ':',
              '#',
              '|',
              '<',
              '&',
              '{',
              'end',
              '\\'
            ),
            {
              minLength: 1,
              maxLength: 12
            }
          )
          .map(parts => parts.join(''))
      ),
      { minLength: 1, maxLength: 12 }
    ),
    size: fc.integer({ min: 0, max: 2 ** 40 }),
    elapsedMs: fc.integer({ min: 0, max: 5 * 24 * 60 * MINUTE }),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 60 }),
    delayMs: fc.integer({ min: 0, max: 30 * SECOND }),
    seed: fc.integer({ min: 1, max: 100 }),
    earlier: fc.array(fc.tuple(fc.integer({ min: -1000, max: 10 ** 9 }), fc.nat(10 ** 9), fc.nat(2 ** 40)), {
      maxLength: 8
    })
  })
  return fc
    .sample(run, { numRuns: count, seed })
    .map(({ names, size, elapsedMs, cuts, delayMs, seed, earlier }) => ({
      names,
      markdown: summary(
        names.map(name => uploaded(file(name, size), elapsedMs)),
        elapsedMs,
        { cuts: cuts.map(part => part * elapsedMs).sort((a, b) => a - b), delayMs, seed },
        earlier.map(each => runBefore(...each))
      )
    }))
}

function hostileNames() {
  return [
    'a"b',
    'a;b',
    '%%{init: {"theme": "forest"}}%%',
    'a]b[c)d(e}f{',
    'a\nb\r\nc',
    '```',
    '```\n\n# heading\n\n```mermaid\npie\n',
    '🦄👨‍👩‍👧‍👦.zip',
    ':crit, 0, 1',
    'section x',
    '</pre></code></details><script>document.title="broken"</script>',
    '| a | b |',
    '@octocat #1 https://x.y www.example.org',
    '\u202egnp.exe',
    '&lt;b&gt;&#35;'
  ]
}

function siteFiles(count) {
  return Array.from({ length: count }, (_, index) =>
    file(`site/section-${index % 7}/page-${index}.html`, 900 + ((index * 7919) % 190) ** 2 * 3)
  )
}

/** A run before, that ended so long before this one. */
function runBefore(agoMs, elapsedMs, sentBytes) {
  const endedMs = START - agoMs
  return { startedMs: endedMs - elapsedMs, endedMs, sentBytes }
}

function summary(results, elapsedMs, run = {}, earlier = []) {
  const sentBytes = results.reduce((sum, result) => sum + result.sentBytes, 0)
  return formatSummary(
    { results, elapsedMs, history: historyOf({ elapsedMs, sentBytes, ...run }), earlier },
    { keepsState: true }
  )
}
