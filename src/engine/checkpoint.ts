import { claimIds } from '../core/claim.js'
import { reasonOf } from '../core/errors.js'
import type { UploadRecord } from '../core/resume.js'
import { openSealed, sealText, type StateKeys } from '../core/seal.js'
import {
  differInTimeAlone,
  formatUploadMeta,
  parseUploadMeta,
  writerIsGone,
  type UploadMeta,
  type Writer
} from '../core/upload-meta.js'
import type { Clock, Emit, StateStore } from './ports.js'

const FIRST_AFTER_MS = 10_000

export interface State {
  /** `undefined`: nothing is kept. */
  readonly store: StateStore | undefined
  readonly keys: StateKeys
  readonly writer: Writer
  /** Of the run; empty where it has only one. */
  readonly job: string
  /** Nobody else at work goes by the run and the attempt of that writer. */
  readonly isOnlyWriter: boolean
  /** Milliseconds between two checkpoints; 0: only at the end. */
  readonly intervalMs: number
}

/** What of the state changes while a run goes on. */
export type Contents = Pick<UploadMeta, 'records' | 'runs'>

/**
 * What earlier attempts left: what this run saved last, else what another run did. Without what cannot be trusted: a
 * state that does not open is one warning, and part files that another run may still be writing are left alone.
 *
 * @throws UploadError as `StateStore.load` does.
 */
export async function loadState(state: State, emit: Emit, signal: AbortSignal): Promise<Contents> {
  const { store, keys, writer } = state
  if (store === undefined) return { records: new Map() }
  const metas = openAll(await store.load(signal), keys, emit)
  const mine = metas.filter(({ writer: { run } }) => run === writer.run)
  const meta = latestOf(mine) ?? latestOf(metas)
  if (meta === undefined) return { records: new Map() }
  if (writerIsGone(meta, writer)) return { ...meta, records: toClaim(recordsOf(meta), state) }
  emit({
    type: 'notice',
    text: `Run ${meta.writer.run} may still be uploading to this target; its unfinished files are not continued.`
  })
  return { records: new Map([...meta.records].filter(([, { published }]) => published !== undefined)) }
}

/** Others may load the same state at the same time: whoever goes on with a part file has to claim it. */
function toClaim(
  records: UploadMeta['records'],
  { writer, job, isOnlyWriter }: State
): UploadMeta['records'] {
  const { run, attempt } = writer
  const claimOf = (partId: string) => ({ ...claimIds(partId, { run, job, attempt }), isOwn: isOnlyWriter })
  return changeUnfinished(records, record => ({ ...record, claim: claimOf(record.partId) }))
}

/** The records of a state; where its writer was killed, its system may still deliver what it had sent. */
function recordsOf({ records, closed }: UploadMeta): UploadMeta['records'] {
  return closed ? records : changeUnfinished(records, record => ({ ...record, lateWrites: true }))
}

function changeUnfinished(
  records: UploadMeta['records'],
  change: (record: UploadRecord) => UploadRecord
): UploadMeta['records'] {
  const changed = (record: UploadRecord) => (record.published === undefined ? change(record) : record)
  return new Map([...records].map(([name, record]) => [name, changed(record)]))
}

function openAll(texts: readonly string[], keys: StateKeys, emit: Emit): UploadMeta[] {
  const metas: UploadMeta[] = []
  let problem: string | undefined
  for (const text of texts) {
    try {
      metas.push(parseUploadMeta(openSealed(keys, text)))
    } catch (error) {
      problem = reasonOf(error)
    }
  }
  if (problem !== undefined) {
    const consequence = metas.length === 0 ? 'every file is looked at anew' : 'another copy is used'
    emit({ type: 'warning', text: `The saved .upload.meta does not open (${problem}); ${consequence}.` })
  }
  return metas
}

function latestOf(metas: readonly UploadMeta[]): UploadMeta | undefined {
  return [...metas].sort((a, b) => b.savedAtMs - a.savedAtMs)[0]
}

/** Saves the records from time to time and at the end; one save at a time, and none when nothing changed. */
export class Checkpoints {
  private saved: string | undefined
  private saving: Promise<void> = Promise.resolve()

  constructor(
    private readonly state: State,
    private readonly contents: () => Contents,
    private readonly clock: Clock
  ) {}

  /** Until the signal, which also gives up a save that is under way: saves after the first 10 s, or the interval if that is shorter, then at every interval. */
  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.state
    if (intervalMs === 0) return
    try {
      for (let delay = Math.min(FIRST_AFTER_MS, intervalMs); ; delay = intervalMs) {
        await this.clock.sleep(delay, signal)
        await this.save(false, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Saves out of turn, unless only the end is saved. */
  async now(signal: AbortSignal): Promise<void> {
    if (this.state.intervalMs > 0) await this.save(false, signal)
  }

  /** The last save: nothing of this run is in flight any more. */
  close(): Promise<void> {
    return this.save(true)
  }

  private save(closed: boolean, signal?: AbortSignal): Promise<void> {
    this.saving = this.saving.then(async () => {
      const { store, keys, writer } = this.state
      if (store === undefined) return
      const contents = this.contents()
      // A run that got nowhere must not hide the state of the one before.
      if (contents.records.size === 0) return
      const text = formatUploadMeta({ writer, closed, savedAtMs: this.clock.now(), ...contents })
      if (this.saved !== undefined && differInTimeAlone(text, this.saved)) return
      try {
        await store.save(sealText(keys, text), signal)
        this.saved = text
      } catch {
        // Never the end of an upload, whatever is wrong with a store; the next checkpoint tries again.
      }
    })
    return this.saving
  }
}

/** The state of a run that was killed, with its end noted; `undefined` when it does not open or has one already. */
export function closeState(keys: StateKeys, sealed: string, nowMs: number): string | undefined {
  try {
    const meta = parseUploadMeta(openSealed(keys, sealed))
    if (meta.closed) return undefined
    const closed = { ...meta, records: recordsOf(meta), closed: true, savedAtMs: nowMs }
    return sealText(keys, formatUploadMeta(closed))
  } catch {
    return undefined
  }
}
