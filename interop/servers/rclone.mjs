import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../__tests__/support/free-port.mjs'
import { npm, root } from '../../script/packages.mjs'
import { generateKey } from '../../script/sshd.mjs'
import { versionOf } from '../debian.mjs'
import { Program } from '../program.mjs'

const run = promisify(execFile)
const S3RVER = '3.7.1'
const BUCKET = 'bucket'
const MOST_READS = 30
/** rclone reads these, too, and fails at some of them. */
const environment = Object.fromEntries(
  Object.keys(process.env)
    .filter(name => /^(AWS|RCLONE)_/.test(name))
    .map(name => [name, undefined])
)
const MODES = ['off', 'minimal', 'writes', 'full']
/** `off` and `minimal` take what comes in the order of the file and nothing else. */
const cached = ['writes', 'full']

const stores = [
  { id: 's3', title: 'S3', start: startS3, install: installS3rver },
  { id: 'local', title: 'a local folder', start: openFolder, install: () => undefined }
]

export const rclone = stores.flatMap(store =>
  MODES.map(mode => ({
    id: `rclone-${store.id}-${mode}`,
    title: `rclone, \`--vfs-cache-mode ${mode}\`, ${store.title}`,
    packages: ['rclone', 'openssh-client'],
    whyNot: store.install,
    expected: {
      posixRename: true,
      fsync: false,
      statvfs: false,
      chunkSize: 31_744,
      replaces: true,
      removesFirst: true,
      lanes: 4,
      oneLane: true,
      continues: false,
      answersBeforeStored: cached.includes(mode)
    },
    start: folder => start(folder, mode, store)
  }))
)

async function start(folder, mode, store) {
  const hostKey = generateKey(join(folder, 'host_key'))
  const loginKey = generateKey(join(folder, 'login_key'))
  const opened = await store.start(folder)
  const port = await freePort()
  const command = [
    ...['rclone', 'serve', 'sftp', opened.remote, '--config', '/dev/null'],
    ...['--addr', `127.0.0.1:${port}`, '--key', join(folder, 'host_key')],
    ...['--authorized-keys', join(folder, 'login_key.pub')],
    ...['--vfs-cache-mode', mode, '--cache-dir', join(folder, 'cache')],
    // After 5 s otherwise, for which every look at the store would have to wait.
    ...['--vfs-write-back', '500ms']
  ]
  try {
    return {
      program: await new Program(command, { port, environment }).start(),
      username: 'deploy',
      key: loginKey.private,
      hostKey: hostKey.public,
      remote: '/',
      version: versionOf('rclone'),
      stored: opened.stored,
      isRemoteStore: opened.isRemoteStore,
      // What the server has yet to hand on when the file is removed gets there all the same.
      ...(cached.includes(mode) ? { debris: /\.part$/ } : {}),
      stop: opened.stop
    }
  } catch (error) {
    await opened.stop()
    throw error
  }
}

function openFolder(folder) {
  const uploads = join(folder, 'uploads')
  mkdirSync(uploads, { recursive: true })
  return { remote: uploads, stored: path => join(uploads, path), stop: () => undefined }
}

/** An S3 server; what it stores is read past the SFTP server. */
async function startS3(folder) {
  const port = await freePort()
  const data = join(folder, 's3')
  mkdirSync(data)
  const command = [
    ...[process.execPath, join(s3rverFolder(), 'node_modules', 's3rver', 'bin', 's3rver.js')],
    ...['--directory', data, '--address', '127.0.0.1', '--port', String(port), '--silent'],
    ...['--configure-bucket', BUCKET]
  ]
  const program = await new Program(command, { port, greets: false }).start()
  const endpoint = `provider=Other,endpoint="http://127.0.0.1:${port}",force_path_style=true`
  const remote = `:s3,${endpoint},access_key_id=S3RVER,secret_access_key=S3RVER:${BUCKET}`
  const copied = join(folder, 'copied')
  return {
    remote,
    isRemoteStore: true,
    async stored(path) {
      // Listing directory by directory, s3rver leaves some out.
      const command = ['--config', '/dev/null', 'copy', '--fast-list', `${remote}/${path}`, copied]
      for (let tries = 1; ; tries++) {
        await rm(copied, { recursive: true, force: true })
        try {
          await run('rclone', command, { env: { ...process.env, ...environment } })
          mkdirSync(copied, { recursive: true })
          return copied
        } catch (error) {
          // An object that grows while it is read is refused as corrupted.
          if (tries === MOST_READS) throw error
          await sleep(1000)
        }
      }
    },
    stop: () => program.kill()
  }
}

/** Returns why it is not to be had. */
function installS3rver() {
  const folder = s3rverFolder()
  if (existsSync(join(folder, 'node_modules', 's3rver'))) return undefined
  console.log(`Installing s3rver ${S3RVER}`)
  mkdirSync(folder, { recursive: true })
  try {
    npm('install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error', `s3rver@${S3RVER}`)
    return undefined
  } catch (error) {
    return `s3rver is not to be had (${error.message.split('\n', 1)[0]})`
  }
}

function s3rverFolder() {
  return join(root, '.tools', `s3rver-${S3RVER}`)
}
