import { behindSshd } from './behind-sshd.mjs'
import { dropbear } from './dropbear.mjs'
import { openssh } from './openssh.mjs'
import { proftpd } from './proftpd.mjs'
import { python } from './python.mjs'
import { rclone } from './rclone.mjs'
import { ssh2 } from './ssh2.mjs'

/**
 * The servers, each with what it is made of and what is expected of it:
 *
 * - `id`; `openssh` chooses that one and all whose id begins with `openssh-`.
 * - `title`: as the table names it.
 * - `packages`: of Debian. `whyNot()` tells what else is missing here, or `undefined`.
 * - `expected`: what ask.mjs finds; `removesFirst`: the old file, when it renames in its place; `lanes`: connections at a
 *   time; `oneLane`: a file takes one of them; `continues`: a part file; `answersBeforeStored`: what goes wrong in its
 *   storage comes too late to be told.
 * - `start(folder)`: starts it with keys and files in the folder. Resolves with `program`, the login (`username`, `key`,
 *   `hostKey`), `remote`: the directory to upload below, `version`, and `stored(path)`: the local directory with what is
 *   stored for that path below `remote`, read past the server; a copy where it `isRemoteStore`. `debris` are names that
 *   the server itself leaves behind. `stop()`, if any, ends what else was started.
 */
export const servers = [...openssh, ...behindSshd, ...dropbear, ...proftpd, ...python, ...ssh2, ...rclone]

/** Those whose id is one of the names, or begins with it and a dash; all without names. @throws Error for a name of none. */
export function choose(names) {
  const isNamed = (name, { id }) => id === name || id.startsWith(`${name}-`)
  const unknown = names.find(name => !servers.some(server => isNamed(name, server)))
  if (unknown !== undefined) {
    throw new Error(`There is no server ${unknown}; there are: ${servers.map(({ id }) => id).join(' ')}`)
  }
  return servers.filter(server => names.length === 0 || names.some(name => isNamed(name, server)))
}
