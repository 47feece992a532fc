import { expect, test } from '@jest/globals'
import { offeredAlgorithms } from '../../../src/adapters/sftp/algorithms.js'

test.each([
  ['of an unknown key', undefined],
  ['of a pinned RSA key', ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] as const]
])('SHA-1 signatures %s are offered only when asked for, and last', (_, pinned) => {
  expect(offeredAlgorithms(pinned, false).serverHostKey).not.toContain('ssh-rsa')
  expect((offeredAlgorithms(pinned, true).serverHostKey as string[]).at(-1)).toBe('ssh-rsa')
})
