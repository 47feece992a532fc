// OpenSSH's sshd with throw-away keys, for what runs outside of the tests.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'

/**
 * Starts sshd in `folder`, where its keys are, and waits until it listens. `before` precedes its command, `options` are
 * lines of its configuration, `onMessage` gets what it says.
 */
export async function startSshd(folder, { before = [], options = [], onMessage = () => undefined } = {}) {
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
    'Subsystem sftp internal-sftp'
  ]
  writeFileSync(file('sshd_config'), `${lines.join('\n')}\n`)

  const [program, ...values] = [...before, findSshd(), '-D', '-e', '-f', file('sshd_config')]
  const sshd = spawn(program, values, { stdio: ['ignore', 'inherit', 'pipe'] })
  await new Promise((listening, failed) => {
    sshd.on('exit', code => failed(new Error(`sshd ended with exit code ${code}`)))
    sshd.stderr.on('data', text => {
      onMessage(text)
      if (String(text).includes('Server listening on')) listening()
    })
  })
  return { process: sshd, port, username: userInfo().username, keyPath: file('login_key'), hostKey, loginKey }
}

function generateKey(path) {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path])
  return { private: readFileSync(path, 'utf8'), public: readFileSync(`${path}.pub`, 'utf8') }
}

/** sshd wants to be called by its absolute path. */
function findSshd() {
  const found = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd'].find(existsSync)
  if (found === undefined) throw new Error('sshd is not installed: script/install-tools')
  return found
}

function freePort() {
  return new Promise((found, failed) => {
    const server = createServer().once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => found(port))
    })
  })
}
