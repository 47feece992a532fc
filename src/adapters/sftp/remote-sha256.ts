import type { Client } from 'ssh2'

const LONGEST_OUTPUT = 1024

/**
 * What no shell takes for more than a part of a name: whether the account's shell is a POSIX one is not known, and
 * cmd.exe, for instance, does not see quotes where others do.
 */
const PLAIN_PATH = /^[\p{L}\p{M}\p{N} ._/:,=@+~-]+$/u

/**
 * SHA-256 of a file by a program on the server. `undefined` when there is no shell, no such program, no answer within
 * the time, an answer that is no digest, or a path that a shell could take for more than a path: only a digest that
 * matches proves anything.
 *
 * `absolute` is given as standard input, so that no name is taken for an option.
 */
export function remoteSha256(
  client: Client,
  absolute: unknown,
  limitMs: number,
  ended: Promise<unknown>
): Promise<string | undefined> {
  if (typeof absolute !== 'string' || !PLAIN_PATH.test(absolute)) return Promise.resolve(undefined)
  const command = `sha256sum < '${absolute}' || shasum -a 256 < '${absolute}'`
  return new Promise(resolve => {
    const over = new AbortController()
    const finish = (digest?: string) => {
      clearTimeout(timer)
      over.abort()
      resolve(digest)
    }
    const timer = setTimeout(finish, limitMs)
    void ended.then(() => finish())
    client.exec(command, (error, channel) => {
      if (error) {
        finish()
        return
      }
      if (over.signal.aborted) channel.close()
      over.signal.addEventListener('abort', () => channel.close())
      let output = ''
      channel.setEncoding('utf8')
      channel.on('data', (text: string) => {
        output += text
        if (output.length > LONGEST_OUTPUT) finish()
      })
      channel.stderr.resume()
      channel.on('error', () => finish())
      channel.on('close', () => finish(/^([0-9a-f]{64})\b/.exec(output)?.[1]))
      // A forced command that reads what to do would wait for it.
      channel.end()
    })
  })
}
