import { UploadError } from '../core/errors.js'
import { folded } from '../core/folded.js'
import { partPath } from '../core/identity.js'
import type { PlannedFile } from '../core/plan.js'
import type { Remote } from './ports.js'

/** Planned files whose names some servers do not tell apart: Windows and macOS fold case, macOS composes accents. */
export class Namesakes {
  private readonly groups: ReadonlyMap<string, readonly PlannedFile[]>

  constructor(files: readonly PlannedFile[]) {
    const groups = new Map<string, PlannedFile[]>()
    for (const file of files) {
      const name = folded(file.remote)
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [file])
      else group.push(file)
    }
    this.groups = new Map([...groups].filter(([, group]) => group.length > 1))
  }

  /**
   * Looks whether the server tells the file from its namesakes: its part file, of which there is only one, must not be
   * there under the name of another. Asks for nothing where there are none.
   *
   * @throws UploadError `invalid-input` when one of them would take the place of the other.
   */
  async expectApart(remote: Remote, file: PlannedFile, partId: string): Promise<void> {
    for (const other of this.groups.get(folded(file.remote)) ?? []) {
      if (other.remote === file.remote) continue
      if ((await remote.stat(partPath(other.remote, partId))) === undefined) continue
      const names = `${JSON.stringify(file.remote)} from ${JSON.stringify(other.remote)}`
      throw new UploadError(
        'invalid-input',
        `paths: every file must have a remote path of its own; this server does not tell ${names}`
      )
    }
  }
}
