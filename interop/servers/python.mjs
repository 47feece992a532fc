// Servers that are Python libraries, each run by the short program beside this file.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../__tests__/support/free-port.mjs'
import { generateKey } from '../../script/sshd.mjs'
import { versionOf } from '../debian.mjs'
import { Program } from '../program.mjs'

// Not the one in the path, which need not have Debian's packages.
const PYTHON = '/usr/bin/python3'
const expected = { chunkSize: 31_744, lanes: 4, continues: true }

export const python = [
  {
    id: 'asyncssh',
    title: 'AsyncSSH',
    packages: ['python3-asyncssh', 'openssh-client'],
    expected: { ...expected, posixRename: true, fsync: true, statvfs: true, replaces: false },
    start: folder => start(folder, 'asyncssh')
  },
  {
    id: 'paramiko',
    title: 'Paramiko, as its own example serves a folder',
    packages: ['python3-paramiko', 'openssh-client'],
    expected: { ...expected, posixRename: false, fsync: false, statvfs: false, replaces: true },
    start: folder => start(folder, 'paramiko')
  }
]

async function start(folder, library) {
  const uploads = join(folder, 'uploads')
  mkdirSync(uploads, { recursive: true })
  const hostKey = generateKey(join(folder, 'host_key'))
  const loginKey = generateKey(join(folder, 'login_key'))
  const port = await freePort()
  const script = join(import.meta.dirname, `${library}-server.py`)
  const files = [join(folder, 'host_key'), join(folder, 'login_key.pub')]
  return {
    program: await new Program([PYTHON, script, String(port), ...files], { port }).start(),
    username: 'deploy',
    key: loginKey.private,
    hostKey: hostKey.public,
    remote: uploads,
    version: versionOf(`python3-${library}`),
    stored: path => join(uploads, path)
  }
}
