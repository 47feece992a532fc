import type { VerifyMode } from '../core/identity.js'
import type { BlockQueue } from './block-queue.js'
import type { Directories } from './directories.js'
import type { Lanes } from './lanes.js'
import type { Namesakes } from './namesakes.js'
import type { Clock, Connect, Emit, OpenSource } from './ports.js'
import type { StaleParts } from './stale-parts.js'
import type { AttributesTraits } from './try-setting.js'

/** All that the engine needs of the world. */
export interface World {
  readonly connect: Connect
  readonly openSource: OpenSource
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** 8 hexadecimal digits, drawn anew each time. */
  readonly newId: () => string
  readonly emit: Emit
}

export type PublishMode = 'each' | 'together'

export const PUBLISH_MODES: readonly PublishMode[] = ['each', 'together']

export interface UploadSettings {
  readonly verify: VerifyMode
  /** The most connections. */
  readonly connections: number
  /** Attempts in a row without progress that may follow the first. */
  readonly retries: number
  /** Permission bits of every file; `undefined`: those of the local file. */
  readonly fileMode: number | undefined
  /** Permission bits of directories that are made; `undefined`: the server's default. */
  readonly dirMode: number | undefined
  readonly preserveMtime: boolean
  /** `each`: a file is published when it is whole. `together`: when the last one is. */
  readonly publish: PublishMode
  /** The SHA-256 of every whole file is wanted. */
  readonly wholeDigests: boolean
}

/** What was found out about the server by what it answered; holds for the rest of the run. */
export interface ServerTraits extends AttributesTraits {
  /** A part file takes only one writer. */
  oneLane: boolean
  /** Requests of one file may be sent without waiting for the answer to the one before. */
  inOrder: boolean
}

/** What the upload of each file shares with the others of the attempt. */
export interface Attempt {
  readonly world: World
  readonly settings: UploadSettings
  readonly traits: ServerTraits
  readonly lanes: Lanes
  readonly queue: BlockQueue
  readonly directories: Directories
  readonly namesakes: Namesakes
  readonly staleParts: StaleParts
  /** Aborted with the reason when the run is told to stop. */
  readonly signal: AbortSignal
}
