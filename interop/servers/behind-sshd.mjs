// SFTP servers that OpenSSH's sshd starts in the place of its own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { versionOf } from '../debian.mjs'
import { whyNoMounts, withMounts } from '../mounts.mjs'
import { startBehindSshd } from './openssh.mjs'

const sshd = ['openssh-server', 'openssh-client']
const expected = { statvfs: true, chunkSize: 31_744, lanes: 4, continues: true }

export const behindSshd = [
  {
    id: 'mysecureshell',
    title: 'MySecureShell',
    packages: [...sshd, 'mysecureshell'],
    whyNot: whyNoMounts,
    expected: { ...expected, posixRename: false, fsync: false, replaces: true },
    start: startMySecureShell
  },
  {
    id: 'gesftpserver',
    title: 'Green End SFTP Server',
    packages: [...sshd, 'gesftpserver'],
    expected: { ...expected, posixRename: true, fsync: true, replaces: false },
    start: folder =>
      startBehindSshd(folder, {
        sftp: '/usr/libexec/gesftpserver',
        version: versionOf('gesftpserver')
      })
  }
]

/** It reads its settings from a fixed place. */
function startMySecureShell(folder) {
  const settings = join(folder, 'sftp_config')
  const home = join(folder, 'home')
  mkdirSync(home)
  writeFileSync(settings, `<Default>\nHome ${home}\nStayAtHome false\n</Default>\n`)
  return startBehindSshd(folder, {
    sftp: '/usr/bin/mysecureshell',
    options: ['ForceCommand /usr/bin/mysecureshell -c /usr/lib/openssh/sftp-server'],
    before: withMounts([[settings, '/etc/ssh/sftp_config']]),
    version: versionOf('mysecureshell')
  })
}
