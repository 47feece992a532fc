import { expect, test } from '@jest/globals'
import { evidenceOf } from '../../src/cli/verify-flag.js'

test.each<[string, string | undefined, string, RegExp | undefined]>([
  ['size', undefined, 'size', undefined],
  ['tail', undefined, 'tail', undefined],
  ['tail', '65536', 'tail', undefined],
  ['tail', '1048576', 'tail', undefined],
  ['tail', '1048577', 'full', /verify full/],
  ['size', '65536', 'size', /--verify tail only/]
])('--verify %s --tail-size %s asks for %s', (mode, tailSize, verify, notice) => {
  const evidence = evidenceOf(mode, tailSize)
  expect(evidence.verify).toBe(verify)
  if (notice === undefined) expect(evidence.notice).toBeUndefined()
  else expect(evidence.notice).toMatch(notice)
})

test.each(['', '1e6', '-1', '1 MiB'])('a tail size must be a number: %j', tailSize => {
  expect(() => evidenceOf('tail', tailSize)).toThrow(/^tail-size: must be/)
})
