// The lines that the works go over: the loopback, or a delayed path between this machine and a network namespace.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startLink } from '../__tests__/support/link.mjs'

const NAMESPACE = 'sftpbench'
const NEAR = '10.88.7.1'
const FAR = '10.88.7.2'
const MTU = '9000'
const QUEUE_MS = '100'
const here = dirname(fileURLToPath(import.meta.url))

/**
 * `wrap` precedes the command of the server, which listens on `port`; clients reach it at what `reach(port)` gives.
 *
 * @typedef {{ wrap: string[], reach: (port: number) => Promise<{ host: string, port: number }>, close: () => unknown }} Line
 */

/** @returns {Line} */
export function loopback() {
  return { wrap: [], reach: async port => ({ host: '127.0.0.1', port }), close: () => undefined }
}

/** Why there can be no delayed path here; `undefined` when there can. */
export function whyNoDelay() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs Linux and root'
  for (const tool of ['ip', 'gcc']) if (!isInstalled(tool)) return `it needs ${tool}`
  return undefined
}

/**
 * A real packet path with that round trip, rate and loss; what `wrap` precedes runs at its far end.
 *
 * @returns {Promise<Line>}
 */
export async function delayed({ rttMs, mbit, lossPercent = 0 }) {
  const program = join(mkdtempSync(join(tmpdir(), 'bench-line-')), 'line')
  run('gcc', '-O2', '-o', program, join(here, 'line', 'line.c'))
  try {
    run('ip', 'netns', 'del', NAMESPACE)
  } catch {
    // None was left over.
  }
  run('ip', 'netns', 'add', NAMESPACE)
  const line = spawn(program, ['bench0', 'bench1', rttMs, mbit, lossPercent, QUEUE_MS].map(String), {
    stdio: 'ignore'
  })
  await sleep(400)
  const inside = ['netns', 'exec', NAMESPACE, 'ip']
  run('ip', 'addr', 'add', `${NEAR}/24`, 'dev', 'bench0')
  run('ip', 'link', 'set', 'bench0', 'mtu', MTU, 'up')
  run('ip', 'link', 'set', 'bench1', 'netns', NAMESPACE)
  run('ip', ...inside, 'addr', 'add', `${FAR}/24`, 'dev', 'bench1')
  run('ip', ...inside, 'link', 'set', 'bench1', 'mtu', MTU, 'up')
  run('ip', ...inside, 'link', 'set', 'lo', 'up')
  const close = () => {
    line.kill()
    run('ip', 'netns', 'del', NAMESPACE)
  }
  const wrap = ['ip', 'netns', 'exec', NAMESPACE]
  return { wrap, reach: async port => ({ host: FAR, port }), close }
}

/**
 * The same in this process, where the other needs root: every TCP connection ends here, so its windows are not those of
 * a long line, and nothing is lost on it.
 *
 * @returns {Line}
 */
export function relayed({ rttMs, mbit }) {
  let link
  const reach = async port => {
    link = await startLink({ port })
    link.delayMs = rttMs / 2
    link.bytesPerSecond = (mbit * 1e6) / 8
    return { host: '127.0.0.1', port: link.port }
  }
  return { wrap: [], reach, close: () => link?.close() }
}

export function isInstalled(tool) {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function run(command, ...values) {
  execFileSync(command, values, { stdio: ['ignore', 'ignore', 'pipe'] })
}
