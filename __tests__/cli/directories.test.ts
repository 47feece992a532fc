import { expect, test } from '@jest/globals'
import { cacheDirectory, privateDirectory } from '../../src/cli/directories.js'

const home = '/home/me'

test.each<[NodeJS.Platform, NodeJS.ProcessEnv, string, string]>([
  ['linux', {}, '/home/me/.cache', '/home/me/.local/state'],
  ['linux', { XDG_CACHE_HOME: '/cache', XDG_STATE_HOME: '/state' }, '/cache', '/state'],
  ['linux', { XDG_CACHE_HOME: 'cache', XDG_STATE_HOME: '' }, '/home/me/.cache', '/home/me/.local/state'],
  ['darwin', {}, '/home/me/Library/Caches', '/home/me/Library/Application Support'],
  ['win32', { LOCALAPPDATA: '/local', APPDATA: '/roaming' }, '/local', '/roaming']
])('on %s with %j the state lies below %s and the secret below %s', (platform, environment, cache, own) => {
  const machine = { environment, platform, home }
  expect(cacheDirectory(machine)).toBe(`${cache}/resumable-sftp-upload`)
  expect(privateDirectory(machine)).toBe(`${own}/resumable-sftp-upload`)
})
