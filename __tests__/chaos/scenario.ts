import fc from 'fast-check'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { PUBLISH_MODES } from '../../src/engine/context.js'

const MIB = 1024 * 1024

/** When something happens: at a byte on its way to the server, as an answer is lost, or as a checkpoint is saved. */
const moment = fc.oneof(
  { weight: 1, arbitrary: fc.record({ at: fc.constant('handshake' as const), byte: fc.nat(4_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      at: fc.constant('byte' as const),
      // Of all bytes of the files.
      share: fc.integer({ min: 0, max: 105 }).map(percent => percent / 100)
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      at: fc.constant('answer' as const),
      to: fc.constantFrom(
        'open',
        'write',
        'fstat',
        'fsync',
        'close',
        'stat',
        'setstat',
        'read',
        'mkdir',
        'rename',
        'posixRename',
        'remove',
        'statvfs'
      ),
      nth: fc.nat(6)
    })
  },
  { weight: 1, arbitrary: fc.record({ at: fc.constant('checkpoint' as const), nth: fc.nat(3) }) }
)

const trouble = fc.record({
  when: moment,
  what: fc.constantFrom(
    'reset' as const,
    'reset' as const,
    'hang-up' as const,
    'dark' as const,
    'away' as const,
    'kill' as const,
    'cancel' as const,
    'change' as const
  ),
  /** Milliseconds until the line or the server is back. */
  lasts: fc.constantFrom(20, 100, 400)
})

const change = fc.record({
  file: fc.nat(200),
  kind: fc.constantFrom('touch', 'block', 'rebuild', 'grow', 'shrink'),
  /** Where, as a share of the file. */
  place: fc.integer({ min: 0, max: 99 }).map(percent => percent / 100)
})

/** What the server refuses all through an attempt, with which status. */
const refusal = fc.oneof(
  { weight: 5, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Record<string, number>>(
      { open: 3 },
      { reopen: 4 },
      { read: 3 },
      { setstat: 3 },
      { mkdir: 3 },
      { fsync: 4 },
      { close: 4 },
      { posixRename: 4 },
      { posixRename: 4, rename: 4 },
      { statvfs: 8 },
      { opendir: 3 }
    )
  }
)

const attempt = fc.record({
  troubles: fc.array(trouble, { maxLength: 3 }),
  refuse: refusal,
  /** The last so many checkpoints are lost before it. */
  lost: fc.constantFrom(0, 0, 0, 0, 1, 2, 100),
  changes: fc.array(change, { maxLength: 2 }),
  /** What a change in the middle is. */
  midChange: change,
  /** Another run for the same targets, at the same time: with the same files, or files of its own. */
  rival: fc.constantFrom('none', 'none', 'none', 'none', 'none', 'same files', 'own files'),
  rivalsShareState: fc.boolean(),
  connections: fc.integer({ min: 1, max: 4 }),
  retries: fc.nat(2),
  /** Milliseconds of hurried time. */
  intervalMs: fc.constantFrom(0, 400, 2_000),
  /** A slow line: one that carries all files in so many milliseconds. */
  slowMs: fc.constantFrom(undefined, undefined, undefined, 200, 600),
  delayMs: fc.constantFrom(0, 0, 0, 2, 8)
})

const files = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(0, 1, 70_000, MIB - 1, MIB), { minLength: 1, maxLength: 5 })
  },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(0, 300, MIB + 1, 2 * MIB + 77, 3 * MIB), {
      minLength: 1,
      maxLength: 3
    })
  },
  // For several lanes.
  {
    weight: 2,
    arbitrary: fc.constantFrom([9 * MIB + 3], [9 * MIB, 10], [5 * MIB, 5 * MIB + 1], [17 * MIB + 1])
  },
  { weight: 1, arbitrary: fc.constantFrom(Array<number>(70).fill(40), Array<number>(130).fill(2_000)) }
)

/** A round: what there is to upload, to which server, and what becomes of each attempt. */
export const scenario = fc.record({
  files,
  /** Whether older files are in the places of the new ones. */
  replaces: fc.boolean(),
  server: fc.record({
    extensions: fc.constantFrom<readonly string[]>(
      ['posix-rename@openssh.com', 'fsync@openssh.com', 'statvfs@openssh.com', 'copy-data'],
      ['posix-rename@openssh.com', 'fsync@openssh.com', 'statvfs@openssh.com'],
      ['posix-rename@openssh.com'],
      []
    ),
    overwriteOnRename: fc.constantFrom(false, false, true)
  }),
  empties: fc.constantFrom(false, false, false, false, false, true),
  reorders: fc.constantFrom(false, false, false, true),
  maxConnections: fc.constantFrom(undefined, undefined, undefined, 2),
  verify: fc.constantFrom(...VERIFY_MODES),
  publish: fc.constantFrom(...PUBLISH_MODES),
  preserveMtime: fc.boolean(),
  attempts: fc.array(attempt, { minLength: 1, maxLength: 3 })
})

type ValueOf<T> = T extends fc.Arbitrary<infer V> ? V : never
export type Scenario = ValueOf<typeof scenario>
export type AttemptPlan = ValueOf<typeof attempt>
export type Change = ValueOf<typeof change>
export type Trouble = ValueOf<typeof trouble>

/** The same for the same seed. */
export function scenarioOf(seed: number): Scenario {
  const [drawn] = fc.sample(fc.noBias(scenario), { seed, numRuns: 1 })
  if (drawn === undefined) throw new Error('nothing was drawn')
  return drawn
}
