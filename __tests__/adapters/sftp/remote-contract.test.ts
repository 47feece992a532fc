import { symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../../src/adapters/sftp/connect.js'
import { describeRemote } from '../../support/describe-remote.js'
import { MemoryClock } from '../../support/memory-clock.js'
import { MemoryServer } from '../../support/memory-server.js'
import { settingsFor, settingsForSshd } from '../../support/sftp-settings.js'
import { startSftpServer } from '../../support/sftp-server.mjs'
import { describeWithSshd, startSshd, type SshdOptions } from '../../support/sshd.js'

const linkIn = (root: string) => (target: string, path: string) => {
  symlinkSync(join(root, target), join(root, path))
}
const never = new AbortController().signal

describeRemote(
  'in memory',
  async () => {
    const clock = new MemoryClock()
    const server = new MemoryServer(clock, { canCopy: true })
    server.directories.add('uploads')
    return {
      remote: await clock.until(server.connect(never)),
      directory: 'uploads',
      during: work => clock.until(work()),
      link: (target, path) => void server.links.set(`uploads/${path}`, `uploads/${target}`),
      close: () => Promise.resolve()
    }
  },
  { largeFiles: false }
)

for (const [name, extensions] of [
  ['a server in this process', undefined],
  ['a server that copies', ['copy-data']],
  ['a server without extensions', []]
] as const) {
  describeRemote(name, async () => {
    const root = await mkdtemp(join(tmpdir(), 'remote-contract-'))
    const server = await startSftpServer({ root, ...(extensions === undefined ? {} : { extensions }) })
    const remote = await connect(settingsFor(server), never)
    const close = async () => {
      await server.close()
      await rm(root, { recursive: true })
    }
    return { remote, directory: '.', during: work => work(), link: linkIn(root), close }
  })
}

for (const sftp of ['internal', 'external'] as const satisfies SshdOptions['sftp'][]) {
  describeWithSshd(`OpenSSH, ${sftp} sftp`, () => {
    describeRemote(`OpenSSH, ${sftp} sftp`, async () => {
      const sshd = await startSshd({ sftp })
      return {
        remote: await connect(settingsForSshd(sshd), never),
        directory: sshd.root,
        during: work => work(),
        link: linkIn(sshd.root),
        close: () => sshd.close()
      }
    })
  })
}
