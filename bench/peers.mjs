// How each client is told to upload the folder `from` to `to` on the server.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { isInstalled } from './line.mjs'

const FASTEST_CIPHER = 'aes128-gcm@openssh.com'

/** The clients that are installed. */
export function findPeers({ fastPut }) {
  const peers = [
    { name: 'sftp', version: () => openssh(), tool: 'sftp', command: sftp() },
    {
      name: `sftp -c ${FASTEST_CIPHER}`,
      version: () => openssh(),
      tool: 'sftp',
      command: sftp('-c', FASTEST_CIPHER)
    },
    { name: 'scp', version: () => openssh(), tool: 'scp', command: scp },
    { name: 'rsync', version: () => firstLine('rsync', '--version'), tool: 'rsync', command: rsync },
    { name: 'lftp -P 10', version: () => firstLine('lftp', '--version'), tool: 'lftp', command: lftp },
    { name: 'rclone', version: () => firstLine('rclone', 'version'), tool: 'rclone', command: rclone },
    { name: 'ssh2 fastPut', version: () => process.version, tool: 'node', command: fastPut }
  ]
  return peers
    .filter(({ tool }) => isInstalled(tool))
    .map(peer => ({ name: peer.name, version: peer.version(), command: peer.command }))
}

function sshOptions({ port, keyPath }, portOption = '-p') {
  const checked = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null']
  return [portOption, String(port), '-i', keyPath, '-q', '-F', 'none', ...checked]
}

function sftp(...options) {
  return ({ from, to, server }) => ({
    command: [
      'sftp',
      ...sshOptions(server, '-P'),
      ...options,
      '-b',
      '-',
      `${server.username}@${server.host}`
    ],
    input: `-mkdir ${to}\nput -r ${from}/* ${to}/\n`
  })
}

function scp({ from, to, server }) {
  return {
    command: ['scp', ...sshOptions(server, '-P'), '-r', from, `${server.username}@${server.host}:${to}`]
  }
}

function rsync({ from, to, server }) {
  const shell = ['ssh', ...sshOptions(server)].join(' ')
  return {
    command: ['rsync', '-a', '-W', '-e', shell, `${from}/`, `${server.username}@${server.host}:${to}/`]
  }
}

function lftp({ from, to, server }) {
  const shell = ['ssh', '-a', '-x', ...sshOptions(server)].join(' ')
  const script = [
    `set sftp:connect-program "${shell}"`,
    `open sftp://${server.username}:@${server.host}`,
    `mirror -R -P 10 ${from} ${to}`
  ].join('; ')
  return { command: ['lftp', '-c', script] }
}

function rclone({ from, to, server }) {
  const remote = `:sftp,host=${server.host},port=${server.port},user=${server.username},key_file=${server.keyPath}:${to}`
  return { command: ['rclone', 'copy', '--config', '/dev/null', from, remote] }
}

function openssh() {
  return execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' }).trim()
}

function firstLine(command, ...values) {
  return execFileSync(command, values, { encoding: 'utf8' }).split('\n')[0].trim()
}

/** ssh2's own upload, one file after the other, by the script beside this one. */
export function fastPutBy(node, folder) {
  return ({ from, to, server }) => ({
    command: [
      node,
      join(folder, 'fast-put.mjs'),
      from,
      to,
      server.host,
      String(server.port),
      server.username
    ],
    env: { KEY_PATH: server.keyPath }
  })
}
