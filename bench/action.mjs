// The built action, started as the runner starts its main step, on Node 24 where there is one.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../script/packages.mjs'

/** The command of the action; `inputs` besides those that every upload has. */
export function actionBy(node, inputs = {}) {
  return ({ from, to, server }) => {
    const given = {
      ...defaults(),
      host: server.host,
      port: String(server.port),
      username: server.username,
      key: readFileSync(server.keyPath, 'utf8'),
      'known-hosts': `${server.port === 22 ? server.host : `[${server.host}]:${server.port}`} ${server.hostKey}`,
      paths: from,
      'remote-path': to,
      state: 'none',
      ...inputs
    }
    const env = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
    )
    return {
      command: [node, join(root, 'dist', 'index.js')],
      env: { RUNNER_TEMP: tmpdir(), GITHUB_WORKSPACE: from, ...env }
    }
  }
}

function defaults() {
  const action = readFileSync(join(root, 'action.yml'), 'utf8')
  const inputs = action.slice(action.indexOf('\ninputs:'), action.indexOf('\noutputs:'))
  return Object.fromEntries(
    [...inputs.matchAll(/^ {2}([a-z-]+):\n(?: {4}.*\n)*? {4}default: '(.*)'$/gm)].map(([, name, value]) => [
      name,
      value
    ])
  )
}
