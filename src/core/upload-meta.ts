import * as v from 'valibot'
import { runsOf } from './blocks.js'
import { Ledger } from './ledger.js'
import type { UploadRecord } from './resume.js'
import type { UploadRun } from './upload-run.js'

/** The run that wrote a state, to tell whether it can still be at work. */
export interface Writer {
  readonly run: string
  readonly attempt: number
  /** Keyed name of the runner; a runner does one job at a time. */
  readonly runner: string
}

/** What `.upload.meta` holds: records by the keyed name of their target. */
export interface UploadMeta {
  readonly writer: Writer
  /** The writer has ended: nothing of it is in flight any more. */
  readonly closed: boolean
  /** Milliseconds since 1970, by the writer's clock: of two states the later one counts. */
  readonly savedAtMs: number
  /** The runs so far, the writer's included; none once everything is in place. */
  readonly runs?: readonly UploadRun[] | undefined
  readonly records: ReadonlyMap<string, UploadRecord>
}

/**
 * Whether the run that wrote the state is surely gone. If it is not, two runs could write different versions into
 * one part file, so its part files are not continued. The attempts of one run, and the jobs of one runner in a run,
 * come one after the other.
 */
export function writerIsGone({ writer, closed }: UploadMeta, me: Writer): boolean {
  return closed || (writer.run === me.run && (writer.attempt < me.attempt || writer.runner === me.runner))
}

const partId = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/))
const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** The shape in JSON. `blocks` are ascending ranges, `0-12,14`; `digests` go with them one by one. */
const storedRecord = v.object({
  part: partId,
  size: natural,
  mtimeMs: v.number(),
  tail: v.optional(v.string()),
  blocks: v.string(),
  digests: v.array(v.string()),
  recent: v.array(natural),
  rebuilt: v.optional(v.boolean()),
  lateWrites: v.optional(v.boolean()),
  whole: v.optional(v.boolean()),
  publishing: v.optional(v.boolean()),
  abandoned: v.optional(v.array(partId)),
  published: v.optional(v.object({ size: natural, mtime: v.number() }))
})

const storedRun = v.object({ startedMs: natural, endedMs: natural, sentBytes: natural })

const storedMeta = v.object({
  writer: v.object({ run: v.string(), attempt: natural, runner: v.string() }),
  closed: v.boolean(),
  savedAtMs: natural,
  runs: v.optional(v.array(storedRun)),
  targets: v.record(v.string(), storedRecord)
})

type StoredRecord = v.InferOutput<typeof storedRecord>

/** Writes the JSON that `parseUploadMeta` reads; it has still to be sealed. */
export function formatUploadMeta({ writer, closed, savedAtMs, runs, records }: UploadMeta): string {
  const targets: Record<string, { toJSON: () => StoredRecord }> = {}
  // There may be a hundred thousand: each takes its stored shape when its turn comes.
  for (const [name, record] of records) targets[name] = { toJSON: () => toStored(record) }
  return JSON.stringify({ writer, closed, runs, targets, savedAtMs })
}

/** Whether two texts that `formatUploadMeta` wrote differ in nothing but `savedAtMs`. */
export function differInTimeAlone(text: string, other: string): boolean {
  const withoutTime = (written: string) => written.slice(0, written.lastIndexOf(','))
  return withoutTime(text) === withoutTime(other)
}

/**
 * Reads what `formatUploadMeta` wrote.
 *
 * @throws Error when the text has another shape.
 */
export function parseUploadMeta(text: string): UploadMeta {
  const { writer, closed, savedAtMs, runs, targets } = v.parse(storedMeta, JSON.parse(text))
  const records = Object.entries(targets).map(([name, stored]) => [name, fromStored(stored)] as const)
  return { writer, closed, savedAtMs, runs, records: new Map(records) }
}

function toStored(record: UploadRecord): StoredRecord {
  const { partId, identity, ledger, rebuilt, lateWrites, whole, publishing, abandoned, published } = record
  const blocks = ledger.acknowledged()
  return {
    part: partId,
    size: identity.size,
    mtimeMs: identity.mtimeMs,
    tail: identity.tail,
    blocks: formatRanges(blocks),
    digests: blocks.map(index => ledger.digestOf(index) ?? ''),
    recent: [...ledger.recent()],
    rebuilt,
    lateWrites,
    whole,
    publishing,
    abandoned: abandoned && [...abandoned],
    published
  }
}

function fromStored(stored: StoredRecord): UploadRecord {
  return {
    partId: stored.part,
    identity: { size: stored.size, mtimeMs: stored.mtimeMs, tail: stored.tail },
    ledger: toLedger(stored),
    rebuilt: stored.rebuilt,
    lateWrites: stored.lateWrites,
    whole: stored.whole,
    publishing: stored.publishing,
    abandoned: stored.abandoned,
    published: stored.published
  }
}

/** Acknowledges the recent blocks once more, so that the ledger's order of acknowledgement ends as the recorded one. */
function toLedger({ size, blocks, digests, recent }: StoredRecord): Ledger {
  const indexes = parseRanges(blocks)
  if (digests.length !== indexes.length) throw new Error('blocks and digests are not of one length')
  const digestOf = new Map(indexes.map((index, at) => [index, digests[at]]))

  const ledger = new Ledger(size)
  for (const index of [...indexes, ...recent]) {
    const digest = digestOf.get(index)
    if (digest === undefined) throw new Error('a recent block is not among the acknowledged')
    ledger.acknowledge(index, digest)
  }
  return ledger
}

function formatRanges(indexes: readonly number[]): string {
  return runsOf(indexes)
    .map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
    .join(',')
}

function parseRanges(text: string): number[] {
  if (text === '') return []
  return text.split(',').flatMap(range => {
    const [, first, last] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(range) ?? []
    const from = Number(first)
    const to = Number(last ?? first)
    if (!(from <= to)) throw new Error(`blocks has a range that is none: ${range.slice(0, 20)}`)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
