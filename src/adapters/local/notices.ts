import { relative } from 'node:path'
import { formatCount } from '../../core/quantities.js'
import type { LeftOut } from './left-out.js'
import type { SortedPaths } from './regular-files.js'
import type { SearchResult } from './search.js'

/** Paths that are not uploaded, by the reason. */
type Reasons = LeftOut &
  Pick<SearchResult, 'notUtf8'> &
  Pick<SortedPaths, 'symlinks' | 'special'> & { readonly ignored: readonly string[] }

/** Collects what is left out, to say it in few lines. */
export interface Notices {
  leaveOut(paths: Partial<Reasons>): void
  texts(): string[]
}

const NAMES_SHOWN = 5

const SENTENCES: readonly (readonly [keyof Reasons, (count: number) => string])[] = [
  ['hidden', count => `${formatCount(count, 'hidden name')} left out because include-hidden-files is false`],
  ['ignored', count => `${formatCount(count, 'file')} left out because the ignore file says so`],
  ['symlinks', count => `${formatCount(count, 'symbolic link')} left out because follow-symlinks is false`],
  ['broken', count => `${formatCount(count, 'symbolic link')} left out because nothing is behind`],
  [
    'special',
    count => `${formatCount(count, 'socket, FIFO or device', 'sockets, FIFOs or devices')} left out`
  ],
  ['notUtf8', count => `${formatCount(count, 'file')} left out because the name is not UTF-8`]
]

/** Notices name paths as they are seen from the workspace, in JSON quotes. */
export function createNotices({ workspace }: { readonly workspace: string }): Notices {
  const leftOut = new Map<keyof Reasons, Set<string>>()

  function list(paths: ReadonlySet<string>): string {
    const names = [...paths].slice(0, NAMES_SHOWN).map(path => JSON.stringify(relative(workspace, path)))
    const more = paths.size > NAMES_SHOWN ? [`and ${paths.size - NAMES_SHOWN} more`] : []
    return [...names, ...more].join(', ')
  }

  return {
    leaveOut(reasons) {
      for (const [reason] of SENTENCES) {
        leftOut.set(reason, new Set([...(leftOut.get(reason) ?? []), ...(reasons[reason] ?? [])]))
      }
    },
    texts() {
      return SENTENCES.flatMap(([reason, sentence]) => {
        const paths = leftOut.get(reason) ?? new Set()
        return paths.size === 0 ? [] : [`${sentence(paths.size)}: ${list(paths)}.`]
      })
    }
  }
}
