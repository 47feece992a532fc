// Runs the end-to-end workflow on this machine as GitHub would, with act: no container, and act's own cache service.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { goTool } from './go-tool.mjs'
import { node24 } from './node24.mjs'
import { root } from './packages.mjs'

const ACT = 'v0.2.89'
const LIMIT_MS = 5 * 60_000

const act = goTool('github.com/nektos/act', ACT)
if (act === undefined) console.log('The end-to-end workflow was NOT run')
else run(act)

function run(program) {
  const directory = mkdtempSync(join(tmpdir(), 'end-to-end-'))
  const { PATH = '' } = process.env
  try {
    const { status, stdout, stderr, error } = spawnSync(
      program,
      [
        'push',
        '--workflows=.github/workflows/end-to-end.yml',
        '--platform=ubuntu-latest=-self-hosted',
        '--action-offline-mode',
        '--cache-server-addr=127.0.0.1',
        `--cache-server-path=${join(directory, 'actions-cache')}`,
        // The cache client asks for one before it speaks to the service; act's looks at none.
        '--env=ACTIONS_RUNTIME_TOKEN=none'
      ],
      {
        cwd: root,
        env: {
          ...process.env,
          // act runs actions with the node that it finds; the runner has Node 24.
          PATH: [dirname(node24() ?? process.execPath), PATH].join(delimiter),
          XDG_CONFIG_HOME: join(directory, 'config'),
          XDG_CACHE_HOME: join(directory, 'cache')
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
        timeout: LIMIT_MS
      }
    )
    if (status === 0) {
      console.log('The end-to-end workflow passes under act')
      return
    }
    console.log(
      `${stdout}\n${stderr}\nThe end-to-end workflow fails under act${error ? `: ${error.message}` : ''}`
    )
    process.exitCode = 1
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
