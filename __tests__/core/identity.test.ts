import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type Identity,
  identityDifference,
  targetOfPart,
  partPath,
  TAIL_LENGTH,
  VERIFY_MODES,
  type VerifyMode
} from '../../src/core/identity.js'

const recorded: Identity = { size: 5_000_000, mtimeMs: 1_700_000_000_123.25, tail: 'tail of monday' }

describe('the difference between the recorded and the local file', () => {
  const rows: { value: string; today: Identity; differsIn: VerifyMode[]; says: RegExp }[] = [
    { value: 'nothing', today: { ...recorded }, differsIn: [], says: /^$/ },
    {
      value: 'the size',
      today: { ...recorded, size: 5_000_001 },
      differsIn: ['size', 'timestamp', 'tail', 'full'],
      says: /size was .*5,000,000 bytes.* is .*5,000,001 bytes/
    },
    {
      value: 'the modification time',
      today: { ...recorded, mtimeMs: recorded.mtimeMs + 60_000 },
      differsIn: ['timestamp'],
      says: /modification time was 2023-11-14T22:13:20\.123Z and is 2023-11-14T22:14:20\.123Z/
    },
    {
      value: 'a fraction of a millisecond',
      today: { ...recorded, mtimeMs: recorded.mtimeMs + 0.25 },
      differsIn: ['timestamp'],
      says: /modification time/
    },
    {
      value: 'the tail',
      today: { ...recorded, tail: 'tail of tuesday' },
      differsIn: ['tail'],
      says: /SHA-256 .*last 1 MiB/
    },
    {
      value: 'a tail that is not known today',
      today: { ...recorded, tail: undefined },
      differsIn: ['tail'],
      says: /last 1 MiB/
    }
  ]
  const table = rows.flatMap(({ value, today, differsIn, says }) =>
    VERIFY_MODES.map(mode => ({
      value,
      today,
      mode,
      says,
      outcome: differsIn.includes(mode) ? 'counts' : 'does not count'
    }))
  )

  test.each(table)('$value $outcome in mode $mode', ({ today, mode, says, outcome }) => {
    const difference = identityDifference(recorded, today, mode)
    if (outcome === 'counts') expect(difference).toMatch(says)
    else expect(difference).toBeUndefined()
  })

  test('is the size first, when more than one value differs', () => {
    const today = { size: 1, mtimeMs: 1, tail: 'other' }
    for (const mode of VERIFY_MODES) expect(identityDifference(recorded, today, mode)).toMatch(/size was/)
  })

  test('is put into words also for a time that no calendar of JavaScript has', () => {
    const far = { ...recorded, mtimeMs: 8.64e15 + 1000 }
    expect(identityDifference(recorded, far, 'timestamp')).toMatch(
      /modification time was .+ and is 8640000000001000 ms after 1970 /
    )
  })

  test('is none between a file and itself, in any mode', () => {
    const identity = fc.record({
      size: fc.maxSafeNat(),
      mtimeMs: fc.double({ min: -1e12, max: 1e13, noNaN: true }),
      tail: fc.option(fc.string(), { nil: undefined })
    })
    fc.assert(
      fc.property(identity, fc.constantFrom(...VERIFY_MODES), (file, mode) => {
        expect(identityDifference(file, { ...file }, mode)).toBeUndefined()
      })
    )
  })

  test('looks at a tail of 1 MiB', () => {
    expect(TAIL_LENGTH).toBe(1024 * 1024)
  })
})

describe('the name of a part file', () => {
  test('is beside the target and tells the upload it belongs to', () => {
    expect(partPath('/srv/www/app.zip', '00c0ffee')).toBe('/srv/www/app.zip.00c0ffee.part')
  })

  test.each([
    { name: 'app.zip.00c0ffee.part', is: true },
    { name: 'app.zip.12345678.part', is: true },
    { name: 'app.zip', is: false },
    { name: 'app.zip.part', is: false },
    { name: 'app.zip.00c0ffe.part', is: false },
    { name: 'app.zip.00c0ffee0.part', is: false },
    { name: 'app.zip.00C0FFEE.part', is: false },
    { name: 'app.zip.00c0ffeg.part', is: false },
    { name: 'app.zip.00c0ffee.part.old', is: false },
    { name: 'app.zip.00c0ffee.part\n', is: false },
    { name: 'app-zip.00c0ffee.part', is: false },
    { name: 'my-app.zip.00c0ffee.part', is: false },
    { name: 'app.zip.sig.00c0ffee.part', is: false },
    { name: 'app.zip.00c0ffee.part.00c0ffee.part', is: false }
  ])('$name is one of app.zip: $is', ({ name, is }) => {
    expect(targetOfPart(name) === 'app.zip').toBe(is)
  })

  test('belongs to its own target alone', () => {
    const id = fc.nat(0xffffffff).map(value => value.toString(16).padStart(8, '0'))
    const name = fc.string({ minLength: 1, unit: fc.constantFrom('a', '.', '+', '[', '0', 'part', '\\') })
    fc.assert(
      fc.property(name, id, (target, partId) => {
        expect(targetOfPart(partPath(target, partId))).toBe(target)
      })
    )
  })
})
