import { Client, type ConnectConfig, type SFTPWrapper } from 'ssh2'
import type { Sshd } from './sshd.js'

/** A session of ssh2 alone, without what the adapters change of it. */
export interface Ssh2Session {
  readonly client: Client
  readonly sftp: SFTPWrapper
  /** Bytes of each SSH packet of data that was sent. */
  readonly packets: number[]
  open(path: string): Promise<Buffer>
  write(handle: Buffer, bytes: Buffer, offset: number): Promise<void>
}

export async function openSsh2Session(sshd: Sshd, config: ConnectConfig = {}): Promise<Ssh2Session> {
  const packets: number[] = []
  const client = new Client()
  const { host, port, username, privateKey } = sshd
  const debug = (line: string) => {
    const [, length] = /Sending CHANNEL_DATA \(r:\d+, (\d+)\)/.exec(line) ?? []
    if (length !== undefined) packets.push(Number(length))
  }
  client.connect({ host, port, username, privateKey, debug, ...config })
  await new Promise<void>((resolve, reject) => client.on('ready', resolve).on('error', reject))
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, opened) => (error ? reject(error) : resolve(opened)))
  })
  packets.length = 0
  return {
    client,
    sftp,
    packets,
    open: path =>
      new Promise((resolve, reject) => {
        sftp.open(path, 'w', (error, handle) => (error ? reject(error) : resolve(handle)))
      }),
    write: (handle, bytes, offset) =>
      new Promise((resolve, reject) => {
        sftp.write(handle, bytes, 0, bytes.length, offset, error => (error ? reject(error) : resolve()))
      })
  }
}
