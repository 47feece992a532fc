import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { freePort } from '../../__tests__/support/free-port.mjs'
import { generateKey } from '../../script/sshd.mjs'
import { Program } from '../program.mjs'

export const ssh2 = [
  {
    id: 'ssh2',
    title: "ssh2's own server over Node's file system",
    packages: ['openssh-client'],
    expected: {
      posixRename: false,
      fsync: false,
      statvfs: false,
      chunkSize: 31_744,
      replaces: true,
      lanes: 4,
      continues: true
    },
    start
  }
]

async function start(folder) {
  const uploads = join(folder, 'uploads')
  mkdirSync(uploads, { recursive: true })
  const hostKey = generateKey(join(folder, 'host_key'))
  const loginKey = generateKey(join(folder, 'login_key'))
  const port = await freePort()
  const script = join(import.meta.dirname, 'ssh2-server.mjs')
  const files = [join(folder, 'host_key'), join(folder, 'login_key.pub')]
  return {
    program: await new Program([process.execPath, script, String(port), ...files], { port }).start(),
    username: 'deploy',
    key: loginKey.private,
    hostKey: hostKey.public,
    remote: uploads,
    version: createRequire(import.meta.url)('ssh2/package.json').version,
    stored: path => join(uploads, path)
  }
}
