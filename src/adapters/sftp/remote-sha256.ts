import type { Client } from 'ssh2'

/**
 * SHA-256 of a file by a program on the server. `undefined` when there is no shell, no such program, or an answer that
 * is no digest: only a digest that matches proves anything.
 *
 * `absolute` is quoted for a POSIX shell and given as standard input, so that no name is taken for an option.
 */
export function remoteSha256(
  client: Client,
  absolute: string,
  ended: Promise<unknown>
): Promise<string | undefined> {
  const file = `'${absolute.replaceAll("'", `'\\''`)}'`
  const command = `sha256sum < ${file} || shasum -a 256 < ${file}`
  return new Promise(resolve => {
    void ended.then(() => resolve(undefined))
    client.exec(command, (error, channel) => {
      if (error) {
        resolve(undefined)
        return
      }
      let output = ''
      channel.setEncoding('utf8')
      channel.on('data', (text: string) => (output = (output + text).slice(0, 1024)))
      channel.stderr.resume()
      channel.on('error', () => resolve(undefined))
      channel.on('close', () => resolve(/^([0-9a-f]{64})\b/.exec(output)?.[1]))
    })
  })
}
