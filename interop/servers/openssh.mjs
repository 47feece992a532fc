import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { configureSshd } from '../../script/sshd.mjs'
import { whyNoMounts, withMounts } from '../mounts.mjs'
import { Program } from '../program.mjs'

const packages = ['openssh-server', 'openssh-client']
const external = '/usr/lib/openssh/sftp-server'
const full = { posixRename: true, fsync: true, statvfs: true, chunkSize: 261_120, replaces: false }
const expected = { ...full, lanes: 4, continues: true }

export const openssh = [
  {
    id: 'openssh',
    title: 'OpenSSH, `internal-sftp`',
    packages,
    expected,
    start: folder => startBehindSshd(folder, { sftp: 'internal-sftp' })
  },
  {
    id: 'openssh-sftp-server',
    title: 'OpenSSH, `sftp-server`',
    packages: [...packages, 'openssh-sftp-server'],
    expected,
    start: folder => startBehindSshd(folder, { sftp: external })
  },
  {
    id: 'openssh-chroot',
    title: 'OpenSSH, `ChrootDirectory`, SFTP only',
    packages,
    whyNot: whyNoMounts,
    expected,
    start: startChroot
  },
  {
    id: 'openssh-without-limits',
    title: 'OpenSSH before 8.5: no `limits@openssh.com`',
    packages,
    expected: { ...expected, chunkSize: 31_744 },
    start: folder => startBehindSshd(folder, { sftp: 'internal-sftp -P limits' })
  },
  {
    id: 'openssh-without-extensions',
    title: 'OpenSSH, no extension of use',
    packages,
    expected: { ...expected, posixRename: false, fsync: false, statvfs: false, chunkSize: 31_744 },
    start: folder =>
      startBehindSshd(folder, { sftp: 'internal-sftp -P limits,posix-rename,fsync,statvfs,copy-data' })
  }
]

/** Another SFTP server, or none of its own, behind sshd. `before` precedes the command of sshd. */
export async function startBehindSshd(folder, { sftp, options = [], before = [], root = folder, version }) {
  const uploads = join(folder, 'uploads')
  mkdirSync(uploads, { recursive: true })
  // A shell that verify: full asks for reads nobody's start files, which may wait for locks that a killed one left.
  const own = ['ListenAddress 127.0.0.1', `SetEnv HOME=${folder}`]
  const sshd = await configureSshd(folder, { sftp, options: [...own, ...options] })
  const program = await new Program([...before, ...sshd.command], { port: sshd.port }).start()
  return {
    program,
    username: sshd.username,
    key: sshd.loginKey.private,
    hostKey: sshd.hostKey.public,
    remote: root === folder ? uploads : root,
    version: version ?? opensshVersion(),
    stored: path => join(uploads, path)
  }
}

/** The folder is the root directory of the account: sshd wants all above it to be root's, so it stands in for /mnt. */
function startChroot(folder) {
  chmodSync(folder, 0o755)
  return startBehindSshd(folder, {
    sftp: 'internal-sftp',
    options: ['ChrootDirectory /mnt', 'ForceCommand internal-sftp'],
    before: withMounts([[folder, '/mnt']]),
    root: '/uploads'
  })
}

function opensshVersion() {
  const said = execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' })
  return /OpenSSH_(\S+)/.exec(said)?.[1]
}
