import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../__tests__/support/free-port.mjs'
import { generateKey } from '../../script/sshd.mjs'
import { versionOf } from '../debian.mjs'
import { Program } from '../program.mjs'

const packages = ['proftpd-core', 'proftpd-mod-crypto', 'openssh-client']
const expected = {
  posixRename: true,
  fsync: true,
  statvfs: true,
  chunkSize: 31_744,
  replaces: false,
  lanes: 4,
  continues: true
}

export const proftpd = [
  {
    id: 'proftpd',
    title: 'ProFTPD, `mod_sftp`',
    packages,
    expected,
    start: folder => start(folder, ['AllowOverwrite on'])
  },
  {
    id: 'proftpd-hidden-stores',
    title: 'ProFTPD, `HiddenStores on`',
    packages,
    expected: { ...expected, continues: false, oneLane: true },
    // It writes to .in.NAME. and leaves that behind when it is killed.
    start: async folder => ({
      ...(await start(folder, ['AllowOverwrite on', 'HiddenStores on'])),
      debris: /(^|\/)\.in\.[^/]*\.$/
    })
  },
  {
    id: 'proftpd-no-overwrite',
    title: 'ProFTPD, `AllowOverwrite off`',
    packages,
    expected: { ...expected, continues: false, oneLane: true },
    start: folder => start(folder, ['AllowOverwrite off'])
  }
]

async function start(folder, options) {
  const uploads = join(folder, 'uploads')
  mkdirSync(uploads, { recursive: true })
  const hostKey = generateKey(join(folder, 'host_key'))
  const loginKey = generateKey(join(folder, 'login_key'))
  const publicKey = execFileSync('ssh-keygen', ['-e', '-f', join(folder, 'login_key.pub')])
  writeFileSync(join(folder, 'authorized_keys'), publicKey)
  const { username, uid, gid } = userInfo()
  const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()
  // The password is locked.
  writeFileSync(join(folder, 'passwd'), `deploy:!:${uid}:${gid}::${uploads}:/bin/false\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'group'), `${group}:x:${gid}:\n`, { mode: 0o600 })
  const port = await freePort()
  const lines = [
    'LoadModule mod_sftp.c',
    'ServerType standalone',
    'DefaultAddress 127.0.0.1',
    'SocketBindTight on',
    'UseIPv6 off',
    'UseReverseDNS off',
    `Port ${port}`,
    `User ${username}`,
    `Group ${group}`,
    'RootLogin on',
    'RequireValidShell off',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${join(folder, 'passwd')}`,
    `AuthGroupFile ${join(folder, 'group')}`,
    `PidFile ${join(folder, 'proftpd.pid')}`,
    `ScoreboardFile ${join(folder, 'scoreboard')}`,
    'WtmpLog off',
    'SystemLog none',
    'TransferLog none',
    'SFTPEngine on',
    `SFTPHostKey ${join(folder, 'host_key')}`,
    'SFTPAuthMethods publickey',
    `SFTPAuthorizedUserKeys file:${join(folder, 'authorized_keys')}`,
    ...options
  ]
  const configuration = join(folder, 'proftpd.conf')
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  const command = ['proftpd', '--nodaemon', '--quiet', '--config', configuration]
  return {
    program: await new Program(command, { port }).start(),
    username: 'deploy',
    key: loginKey.private,
    hostKey: hostKey.public,
    remote: uploads,
    version: versionOf('proftpd-core'),
    stored: path => join(uploads, path)
  }
}
