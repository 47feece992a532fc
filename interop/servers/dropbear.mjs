import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../__tests__/support/free-port.mjs'
import { generateKey } from '../../script/sshd.mjs'
import { versionOf } from '../debian.mjs'
import { whyNoMounts, withMounts } from '../mounts.mjs'
import { Program } from '../program.mjs'

export const dropbear = [
  {
    id: 'dropbear',
    title: "Dropbear with OpenSSH's `sftp-server`",
    packages: ['dropbear-bin', 'openssh-sftp-server', 'openssh-client'],
    whyNot: whyNoMounts,
    expected: {
      posixRename: true,
      fsync: true,
      statvfs: true,
      chunkSize: 261_120,
      replaces: false,
      lanes: 4,
      continues: true
    },
    start
  }
]

/** It looks for the keys that may log in below the home directory and nowhere else. */
async function start(folder) {
  const [uploads, home] = [join(folder, 'uploads'), join(folder, 'home')]
  mkdirSync(uploads, { recursive: true })
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 })
  const hostKey = generateKey(join(folder, 'host_key'))
  const loginKey = generateKey(join(folder, 'login_key'))
  cpSync(join(folder, 'login_key.pub'), join(home, '.ssh', 'authorized_keys'))
  const converted = join(folder, 'dropbear_host_key')
  execFileSync('dropbearconvert', ['openssh', 'dropbear', join(folder, 'host_key'), converted], {
    stdio: 'ignore'
  })
  const port = await freePort()
  const { username, homedir } = userInfo()
  const command = [
    ...withMounts([[home, homedir]]),
    ...['dropbear', '-F', '-E', '-s', '-r', converted, '-p', `127.0.0.1:${port}`],
    ...['-P', join(folder, 'dropbear.pid')]
  ]
  return {
    program: await new Program(command, { port }).start(),
    username,
    key: loginKey.private,
    hostKey: hostKey.public,
    remote: uploads,
    version: versionOf('dropbear-bin'),
    stored: path => join(uploads, path)
  }
}
