// The built action, started as the runner starts its main step.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAction, toInputVariables } from '../__tests__/support/runner.mjs'
import { root } from '../script/packages.mjs'

/** The command of the action; `inputs` besides those that every upload has. */
export function actionBy(node, inputs = {}) {
  const action = readAction(readFileSync(join(root, 'action.yml'), 'utf8'))
  return ({ from, to, server }) => ({
    command: [node, join(root, action.main)],
    env: {
      RUNNER_TEMP: tmpdir(),
      GITHUB_WORKSPACE: from,
      ...toInputVariables(action.inputs, {
        host: server.host,
        port: String(server.port),
        username: server.username,
        key: server.loginKey.private,
        'known-hosts': `[${server.host}]:${server.port} ${server.hostKey.public}`,
        paths: from,
        'remote-path': to,
        state: 'none',
        ...inputs
      })
    }
  })
}
