import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const POLL_MS = 20

/** Collects the argument lists of all processes until it is told to stop. */
export function watchArguments(): { stop(): Promise<ReadonlySet<string>> } {
  const seen = new Set<string>()
  const stopping = new AbortController()
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const { stdout } = await run('ps', ['-A', '-w', '-w', '-o', 'args='])
      for (const line of stdout.split('\n')) seen.add(line)
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await watching
      return seen
    }
  }
}
