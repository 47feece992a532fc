import { describe, expect, test } from '@jest/globals'
import { UploadError, type ErrorCode } from '../../src/core/errors.js'
import type { UploadEvent } from '../../src/engine/ports.js'
import { retry } from '../../src/engine/retry.js'
import { MemoryClock } from '../support/memory-clock.js'
import { cancelled } from '../support/memory-world.js'

function lost(code: ErrorCode = 'connection-lost'): UploadError {
  return new UploadError(code, 'lost')
}

interface Given {
  readonly retries?: number
  readonly random?: number
  /** What each attempt throws, and the progress it makes before. */
  readonly attempts: readonly (Error | 'done' | { readonly steps: number })[]
  readonly signal?: AbortSignal
}

function start({ retries = 5, random = 0, attempts, signal = new AbortController().signal }: Given) {
  const clock = new MemoryClock()
  const events: UploadEvent[] = []
  let made = 0
  let steps = 0
  const policy = {
    retries,
    clock,
    random: () => random,
    reached: () => steps,
    emit: (e: UploadEvent) => void events.push(e),
    signal
  }
  const result = retry(policy, () => {
    const attempt = attempts[made++]
    if (attempt === 'done' || attempt === undefined) return Promise.resolve('done')
    if (attempt instanceof Error) return Promise.reject(attempt)
    steps += attempt.steps
    return Promise.reject(lost())
  })
  return { clock, events, result, made: () => made }
}

const failing = Array.from({ length: 20 }, () => lost())

describe('retry', () => {
  test('gives the result of the first attempt that succeeds', async () => {
    const { clock, result, made } = start({
      attempts: [lost(), lost('stalled'), lost('unreachable'), 'done']
    })
    expect(await clock.until(result)).toBe('done')
    expect(made()).toBe(4)
  })

  test('waits 1, 2, 4, 8, 16, 30, 30 s', async () => {
    const { clock, events, result, made } = start({ retries: 7, attempts: failing })
    await expect(clock.until(result)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(clock.sleeps).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(
      events.map(event => event.type === 'retrying' && [event.attempt, event.attempts, event.delayMs])
    ).toEqual(clock.sleeps.map((delayMs, index) => [index + 1, 7, delayMs]))
    expect(made()).toBe(8)
  })

  test('waits half as long at the least', async () => {
    const { clock, result } = start({ retries: 2, random: 0.999_999, attempts: failing })
    await expect(clock.until(result)).rejects.toBeInstanceOf(UploadError)
    expect(clock.sleeps).toEqual([500, 1_000])
  })

  test('starts over when an attempt made progress', async () => {
    const attempts = [lost(), lost(), { steps: 1 }, lost(), lost(), { steps: 3 }, 'done' as const]
    const { clock, result } = start({ retries: 3, attempts })
    expect(await clock.until(result)).toBe('done')
    expect(clock.sleeps).toEqual([1_000, 2_000, 1_000, 2_000, 4_000, 1_000])
  })

  test('does not start over when an attempt only got back what an earlier one had lost', async () => {
    const attempts = [{ steps: 4 }, { steps: -3 }, { steps: 2 }, { steps: 1 }, 'done' as const]
    const { clock, result } = start({ retries: 3, attempts })
    await expect(clock.until(result)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(clock.sleeps).toEqual([1_000, 2_000, 4_000])
  })

  test('makes a single attempt without retries', async () => {
    const { clock, result, made } = start({ retries: 0, attempts: [{ steps: 5 }, 'done'] })
    await expect(clock.until(result)).rejects.toMatchObject({ code: 'connection-lost' })
    expect(made()).toBe(1)
  })

  test.each(['login', 'host-key', 'permission', 'no-space', 'source-changed', 'not-verified'] as const)(
    'does not retry %s',
    async code => {
      const { clock, result, made } = start({ attempts: [lost(code), 'done'] })
      await expect(clock.until(result)).rejects.toMatchObject({ code })
      expect(made()).toBe(1)
      expect(clock.sleeps).toEqual([])
    }
  )

  test('does not retry what it does not know', async () => {
    const { clock, result, made } = start({ attempts: [new RangeError('a bug'), 'done'] })
    await expect(clock.until(result)).rejects.toBeInstanceOf(RangeError)
    expect(made()).toBe(1)
  })

  test('is woken from its sleep by the signal, with its reason', async () => {
    const stop = new AbortController()
    const { clock, result, made } = start({ attempts: failing, signal: stop.signal })
    clock.after(300, () => stop.abort(cancelled()))
    const startedMs = clock.now()
    await expect(clock.until(result)).rejects.toMatchObject({ code: 'cancelled' })
    expect(clock.now() - startedMs).toBe(300)
    expect(made()).toBe(1)
  })

  test('throws the reason of the signal, whatever the attempt threw', async () => {
    for (const attempts of [failing, [lost('permission')], [new RangeError('a bug')]]) {
      const { clock, events, result, made } = start({ attempts, signal: AbortSignal.abort(cancelled()) })
      await expect(clock.until(result)).rejects.toMatchObject({ code: 'cancelled' })
      expect(made()).toBe(1)
      expect(events).toEqual([])
    }
  })
})
