import { isTransient, reasonOf, UploadError } from '../../core/errors.js'
import type { StateStore } from '../../engine/ports.js'
import { noteCopied, readMeta, writeMeta } from './state-directory.js'
import type { StateKeeper } from './state-keeper.js'

export interface JobStoreSettings {
  /** Holds `.upload.meta`; of this job alone. */
  readonly directory: string
  /** Where a copy goes: to the first that takes it. */
  readonly keepers: readonly StateKeeper[]
  /** How long the last save may take with one keeper, and with all of them. */
  readonly lastSaveLimits: () => { readonly eachMs: number; readonly allMs: number }
  /** Trouble was told already. */
  readonly isTroubled: boolean
  readonly onNotice: (text: string) => void
  readonly onTrouble: (text: string) => void
}

/** What delays nothing may take long: on a slow line an answer comes behind all that the lanes have in flight. */
const BACKGROUND_LIMIT_MS = 600_000
/** In less there is no answer. */
const SHORTEST_LIMIT_MS = 100

const NOT_SAVED = 'a re-run may have to send everything again'

interface Failure {
  readonly keeper: StateKeeper
  readonly error: unknown
}

type Answer = Failure | { readonly keeper: StateKeeper; readonly text: string | undefined }

/**
 * Keeps `.upload.meta` in the job's state directory, and a copy outside of the job for the next attempt: with the
 * keeper that comes first, and with the other one when that fails. The one that did it last is asked first next time.
 */
export class JobStore implements StateStore {
  private keepers: readonly StateKeeper[]
  private kept = true
  /** Why another keeper is asked first now, until that is told. */
  private passedOver: readonly Failure[] = []
  private readonly told: { moved: boolean; trouble: boolean }

  constructor(private readonly settings: JobStoreSettings) {
    this.keepers = settings.keepers
    this.told = { moved: false, trouble: settings.isTroubled }
  }

  /** Whether a re-run will find what was saved last. */
  get isKept(): boolean {
    return this.kept
  }

  /** What an earlier step of this job left, else what the keepers have. */
  async load(signal: AbortSignal): Promise<readonly string[]> {
    const local = await readMeta(this.settings.directory)
    if (local !== undefined) return [local]
    const answers = await Promise.all(this.keepers.map(keeper => ask(keeper, signal)))
    signal.throwIfAborted()
    const failures = answers.filter(answer => 'error' in answer)
    for (const { error } of failures) if (error instanceof UploadError && !isAbsent(error)) throw error
    const texts = answers.flatMap(answer => ('text' in answer ? [answer] : []))

    const found = texts.flatMap(({ text }) => text ?? [])
    const [able] = texts
    if (able?.keeper === this.keepers[0]) return found
    // What the other keeper does not have may be with the one that comes first.
    if (able === undefined || (found.length === 0 && !failures.every(isExpected))) {
      this.tellTrouble(`What earlier attempts left cannot be read (${reasonsOf(failures)}).`)
    }
    if (able !== undefined) {
      this.prefer(able.keeper)
      this.passedOver = failures
    }
    return found
  }

  async save(sealed: string, signal?: AbortSignal): Promise<void> {
    try {
      await writeMeta(this.settings.directory, sealed)
    } catch (error) {
      this.tellTrouble(`The state cannot be written (${reasonOf(error)}): ${NOT_SAVED}.`)
    }
    await this.copy(sealed, signal)
  }

  /** Gives a copy to a keeper; without a signal it is the last one, and somebody waits. */
  async copy(sealed: string, signal?: AbortSignal): Promise<void> {
    const { eachMs, allMs } =
      signal === undefined ? this.settings.lastSaveLimits() : { eachMs: BACKGROUND_LIMIT_MS, allMs: Infinity }
    const endMs = performance.now() + allMs
    const failures: Failure[] = []
    this.kept = false
    for (const keeper of this.keepers) {
      const limitMs = Math.min(eachMs, endMs - performance.now())
      if (limitMs < SHORTEST_LIMIT_MS) break
      try {
        await keeper.save(sealed, { limitMs, signal })
        this.kept = true
        await noteCopied(this.settings.directory, sealed).catch(() => undefined)
        // A cut line says nothing of the keeper behind it.
        if (!failures.some(({ error }) => isTransient(error))) this.prefer(keeper)
        this.tellMoved(keeper, [...this.passedOver, ...failures])
        this.passedOver = []
        return
      } catch (error) {
        if (signal?.aborted === true) return
        failures.push({ keeper, error })
      }
    }
    // A line that is cut while sending is no trouble yet: the next checkpoint goes over the next session.
    if (signal !== undefined && failures.some(({ error }) => isTransient(error))) return
    this.tellTrouble(`The state of this upload is not kept (${reasonsOf(failures)}): ${NOT_SAVED}.`)
  }

  private prefer(keeper: StateKeeper): void {
    this.keepers = [keeper, ...this.keepers.filter(other => other !== keeper)]
  }

  private tellMoved({ place }: StateKeeper, failures: readonly Failure[]): void {
    if (failures.length === 0) return
    const reasons = reasonsOf(failures)
    const text = `${reasons.charAt(0).toUpperCase()}${reasons.slice(1)}: the state of this upload is kept ${place}.`
    if (!failures.every(isExpected)) this.tellTrouble(text)
    else if (!this.told.moved) this.settings.onNotice(text)
    this.told.moved = true
  }

  private tellTrouble(text: string): void {
    if (!this.told.trouble) this.settings.onTrouble(text)
    this.told.trouble = true
  }
}

async function ask(keeper: StateKeeper, signal: AbortSignal): Promise<Answer> {
  try {
    return { keeper, text: await keeper.load(signal) }
  } catch (error) {
    return { keeper, error }
  }
}

/** There is no such place here, or the line was cut: nothing is wrong with it. */
function isExpected({ error }: Failure): boolean {
  return isTransient(error) || isAbsent(error)
}

function isAbsent(error: unknown): boolean {
  return error instanceof UploadError && error.code === 'unsupported'
}

function reasonsOf(failures: readonly Failure[]): string {
  return failures.map(({ error }) => reasonOf(error)).join('; ')
}
