import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { reasonOf } from '../core/errors.js'
import { deriveStateKeys, keyedName } from '../core/seal.js'
import type { Writer } from '../core/upload-meta.js'
import type { State } from '../engine/checkpoint.js'
import { FileStore } from '../adapters/state/file-store.js'
import { ownSecret } from '../adapters/state/own-secret.js'
import type { Settings } from '../run/settings.js'
import { stepName } from '../run/step-name.js'

const ONLY_JOB = { job: '', isOnlyWriter: true }

export interface CommandState {
  readonly state: State
  /** Whether the next attempt will find what was saved last. */
  readonly isKept: () => boolean
  readonly close: () => Promise<void>
}

interface StatePlace {
  /** Of the state of all uploads. */
  readonly cache: string
  /** Of what only this user of this machine has. */
  readonly own: string
  /** What was asked for: the same in another checkout of the same project. */
  readonly paths: readonly string[]
}

/** Opens the state of this upload. `secret` is that of the login, if it has one that is the same each time. */
export async function openState(
  settings: Settings,
  secret: string | undefined,
  place: StatePlace,
  onTrouble: (text: string) => void
): Promise<CommandState> {
  const keyText = settings.state.store === 'none' ? '' : (secret ?? (await secretOf(place, onTrouble)))
  if (keyText === '') return keepsNothing()
  const keys = deriveStateKeys(keyText)
  const machine = keyedName(keys, 'machine', hostname())
  const directory = join(place.cache, stepName(settings, keys, place.paths))
  const store = await FileStore.open({ directory, machine, onTrouble })
  const writer = writerOf(machine, store.isAlone)
  return {
    state: { store, keys, writer, ...ONLY_JOB, intervalMs: settings.state.checkpointIntervalMs },
    isKept: () => store.isKept,
    close: () => store.close()
  }
}

/**
 * The next attempt is told from this one by its being alone on its machine: see `FileStore`. So no two at work have one
 * name, and what has been claimed by the name was claimed by a process that is gone, if not by this one. One that is not
 * alone is a run of its own, which neither continues what a process at work may still write, nor claims what another one
 * has claimed.
 */
export function writerOf(machine: string, isAlone: boolean): Writer {
  const name = isAlone ? machine : randomBytes(8).toString('hex')
  return { run: `command line, ${name}`, attempt: 1, runner: name }
}

/** In place of the secret that the agent's keys do not make; none when it cannot be kept, after a warning. */
async function secretOf({ own }: StatePlace, onTrouble: (text: string) => void): Promise<string> {
  try {
    return await ownSecret(join(own, 'secret'))
  } catch (error) {
    const reason = reasonOf(error)
    onTrouble(`The state cannot be sealed (${reason}): the next attempt has to send everything again.`)
    return ''
  }
}

function keepsNothing(): CommandState {
  const keys = deriveStateKeys(randomBytes(32).toString('hex'))
  return {
    state: { store: undefined, keys, writer: writerOf('', false), ...ONLY_JOB, intervalMs: 0 },
    isKept: () => false,
    close: () => Promise.resolve()
  }
}
