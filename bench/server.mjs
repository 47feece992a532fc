// OpenSSH's sshd with throw-away keys, at the far end of a line.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { userInfo } from 'node:os'

const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/libexec/sshd']

/** Starts sshd in `folder`, where its keys are. */
export async function startServer(folder, line) {
  const port = await freePort()
  for (const name of ['host_key', 'login_key']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  }
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'login_key.pub')))
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const config = [
    `Port ${port}`,
    `HostKey ${join(folder, 'host_key')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    'MaxStartups 100',
    'PidFile none',
    'Subsystem sftp internal-sftp'
  ]
  writeFileSync(join(folder, 'sshd_config'), `${config.join('\n')}\n`)
  const [command, ...values] = [...line.wrap, findSshd(), '-D', '-f', join(folder, 'sshd_config')]
  const sshd = spawn(command, values, { stdio: 'ignore' })
  await sleep(500)
  const { host, port: reached } = await line.reach(port)
  return {
    host,
    port: reached,
    username: userInfo().username,
    keyPath: join(folder, 'login_key'),
    hostKey: readFileSync(join(folder, 'host_key.pub'), 'utf8').split(' ').slice(0, 2).join(' '),
    close: () => sshd.kill()
  }
}

function findSshd() {
  const found = SSHD.find(path => {
    try {
      readFileSync(path)
      return true
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error(`sshd is not installed; looked at ${SSHD.join(', ')}`)
  return found
}

function freePort() {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
