// OpenSSH's sshd with throw-away keys, for what runs outside of the tests.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../__tests__/support/free-port.mjs'

/**
 * Starts sshd in `folder`, where its keys are, and waits until it listens. `before` precedes its command, `options` are
 * lines of its configuration, `onMessage` gets what it says.
 */
export async function startSshd(folder, { before = [], options = [], onMessage = () => undefined } = {}) {
  const { command, ...server } = await configureSshd(folder, { options })
  const [program, ...values] = [...before, ...command]
  const sshd = spawn(program, values, { stdio: ['ignore', 'inherit', 'pipe'] })
  await new Promise((listening, failed) => {
    sshd.on('exit', code => failed(new Error(`sshd ended with exit code ${code}`)))
    sshd.stderr.on('data', text => {
      onMessage(text)
      if (String(text).includes('Server listening on')) listening()
    })
  })
  return { process: sshd, ...server }
}

/**
 * Makes keys and a configuration in `folder`, and tells the command that starts sshd with them, and how to log in.
 * `options` are lines of its configuration, `sftp` is its subsystem.
 */
export async function configureSshd(folder, { options = [], sftp = 'internal-sftp' } = {}) {
  const file = name => join(folder, name)
  const hostKey = generateKey(file('host_key'))
  const loginKey = generateKey(file('login_key'))
  writeFileSync(file('authorized_keys'), loginKey.public)
  // sshd separates privileges there, and refuses to start without it.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await freePort()
  const lines = [
    ...options,
    `Port ${port}`,
    `HostKey ${file('host_key')}`,
    `PidFile ${file('sshd.pid')}`,
    `AuthorizedKeysFile ${file('authorized_keys')}`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'StrictModes no',
    'UsePAM no',
    `Subsystem sftp ${sftp}`
  ]
  writeFileSync(file('sshd_config'), `${lines.join('\n')}\n`)
  return {
    command: [findSshd(), '-D', '-e', '-f', file('sshd_config')],
    port,
    username: userInfo().username,
    keyPath: file('login_key'),
    hostKey,
    loginKey
  }
}

/** A new key pair: the file `path`, and `path`.pub. */
export function generateKey(path) {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path])
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8') }
}

/** sshd wants to be called by its absolute path. */
function findSshd() {
  const found = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd'].find(existsSync)
  if (found === undefined) throw new Error('sshd is not installed: script/install-tools')
  return found
}
