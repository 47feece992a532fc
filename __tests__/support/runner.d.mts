export type Inputs = Readonly<Record<string, string>>
/** Added to the job's environment; undefined takes a variable away. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface PhaseResult {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** Both streams, as the job's log shows them: masked. */
  readonly log: string
  /** The same before masking. */
  readonly rawLog: string
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly summary: string
  readonly durationMs: number
  readonly masks: readonly string[]
  /** A child kept the streams open for 5 s after the exit; the runner kills such a tree. */
  readonly streamsHeldOpen: boolean
  /** The largest resident set seen; undefined where there is no /proc. */
  readonly peakRssBytes: number | undefined
}

export interface Phase {
  readonly done: Promise<PhaseResult>
  /** The log so far, masked. */
  output(): string
  /** Resolves with the first unmasked line, past or to come, that matches; rejects when the process ends before. */
  waitForLine(pattern: RegExp): Promise<string>
  /** Signals the node process only. */
  kill(signal: NodeJS.Signals): boolean
  /** SIGKILL for the process and its children. */
  killTree(): void
  /** What the runner does on a cancel: SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL of the tree. */
  cancel(): Promise<PhaseResult>
}

export interface RunnerOptions {
  /** The directory with action.yml and dist/. */
  readonly actionPath: string
  /** Turns the cache service on: the URL that startCacheService gives. */
  readonly cacheUrl?: string | undefined
  readonly runId?: string | number
  readonly attempt?: number
  /** Of the job; null without one. */
  readonly matrix?: Readonly<Record<string, unknown>> | null
  /** A name that makes other paths, also relative to one another, for workspace and temp. */
  readonly layout?: string
}

export interface Runner {
  /** The working directory of the action. */
  readonly workspace: string
  /** RUNNER_TEMP. */
  readonly temp: string
  /** Throws for an input that action.yml does not have. */
  startMain(inputs?: Inputs, env?: Environment): Promise<Phase>
  runMain(inputs?: Inputs, env?: Environment): Promise<PhaseResult>
  /** With the inputs, environment and saved state of the last main, which may have been killed. */
  runPost(): Promise<PhaseResult>
  /** Main, then post whatever main did. */
  run(inputs?: Inputs, env?: Environment): Promise<{ main: PhaseResult; post: PhaseResult | undefined }>
  /** Kills what still runs and removes the directories. */
  cleanup(): Promise<void>
}

export function createRunner(options: RunnerOptions): Promise<Runner>

/** Reads input defaults (`''` without one) and the scripts of main and post from the text of action.yml. */
export function readAction(text: string): {
  readonly inputs: Readonly<Record<string, string>>
  readonly main: string
  readonly post: string | undefined
}

/** The environment variables of a step, with the defaults of the inputs that are not given. @throws Error unknown ones. */
export function toInputVariables(
  defaults: Readonly<Record<string, string>>,
  inputs: Readonly<Record<string, string>>,
  matrix?: Readonly<Record<string, unknown>> | null
): Record<string, string>
