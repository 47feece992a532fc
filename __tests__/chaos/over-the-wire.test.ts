import { afterAll, expect, test } from '@jest/globals'
import { playRound } from './round.js'
import { endRuns } from './watched-run.js'

/** The same rounds each time; CHAOS_SEED begins elsewhere, CHAOS_ROUNDS plays more. */
const FIRST = Number(process.env.CHAOS_SEED ?? 1)
const ROUNDS = Number(process.env.CHAOS_ROUNDS ?? 120)
/** They wait most of the time. */
const AT_ONCE = 4
const ENOUGH_FAILURES = 3

afterAll(endRuns)

test('whatever goes wrong on the way, what gets its name is whole, and what ends green is in place', async () => {
  const failures: string[] = []
  let seed = FIRST
  const play = async () => {
    while (seed < FIRST + ROUNDS && failures.length < ENOUGH_FAILURES) {
      const own = seed++
      await playRound(own).catch((error: unknown) => {
        const what = error instanceof Error ? error.message : String(error)
        const again = `CHAOS_SEED=${own} CHAOS_ROUNDS=1 npm test -- __tests__/chaos/over-the-wire.test.ts`
        failures.push(`${what}\nplays it again: ${again}`)
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, play))
  expect(failures).toEqual([])
}, 3_600_000)
