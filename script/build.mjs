// Compiles src/ to lib/ and bundles it to dist/: the same bytes on every machine.
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packages.mjs'

const run = (tool, ...options) =>
  execFileSync(process.execPath, [join(root, 'node_modules', tool), ...options], {
    cwd: root,
    stdio: 'inherit'
  })

for (const made of ['lib', 'dist']) rmSync(join(root, made), { recursive: true, force: true })
run('typescript/bin/tsc')
bundle('lib/index.js', 'dist')
copyFileSync(join(root, 'lib', 'post.js'), join(root, 'dist', 'post.js'))
bundle('lib/cli.js', 'dist/cli')

/** With the licences of what is in it. */
function bundle(program, directory) {
  const options = ['--out', directory, '--license', 'licenses.txt', '--no-cache']
  run('@vercel/ncc/dist/ncc/cli.js', 'build', program, ...options)
  // ssh2's helper for Windows' Pageant; it is never asked for.
  rmSync(join(root, directory, 'pagent.exe'), { force: true })
}
