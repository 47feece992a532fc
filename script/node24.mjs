import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root } from './packages.mjs'

/** The version of the runner's node24. */
const ACTION_NODE = '24.21.0'

/** Node 24 from the npm registry, where it has a binary for this machine; undefined when this is Node 24. */
export function node24() {
  if (process.versions.node.startsWith('24.')) return undefined
  const name = `node-${process.platform}-${process.arch}`
  const node = join(root, '.node24', 'node_modules', name, 'bin', 'node')
  try {
    if (!existsSync(node)) {
      console.log(`Fetching Node ${ACTION_NODE}`)
      npm(
        'install',
        '--prefix',
        join(root, '.node24'),
        '--no-save',
        '--no-package-lock',
        '--loglevel=error',
        `${name}@${ACTION_NODE}`
      )
    }
    return node
  } catch {
    console.log(`Node ${ACTION_NODE} is not to be had for this machine: only ${process.version} is used`)
    return undefined
  }
}
