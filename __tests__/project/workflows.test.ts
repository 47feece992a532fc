import { describe, expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './documents.js'

const directory = join(root, '.github', 'workflows')
const uses = readdirSync(directory).flatMap(file =>
  readFileSync(join(directory, file), 'utf8')
    .split('\n')
    .map(line => /^\s*(?:- )?uses:\s*(.*)$/.exec(line)?.[1])
    .filter(value => value !== undefined && !value.startsWith('./'))
    .map(value => ({ file, value: value ?? '' }))
)

describe('actions of others', () => {
  test('are pinned by a commit, with its version beside it', () => {
    expect(uses.length).toBeGreaterThan(5)
    expect(
      uses.filter(({ value }) => !/^[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(value))
    ).toEqual([])
  })

  // Dependabot moves them one by one when they are not in step, and a review then reads two changes for one.
  test('of one repository are of one version everywhere', () => {
    const versions = new Map<string, Set<string>>()
    for (const { value } of uses) {
      const [action = '', version = ''] = value.split('@')
      const repository = action.split('/', 2).join('/')
      versions.set(repository, (versions.get(repository) ?? new Set()).add(version))
    }
    expect([...versions].filter(([, found]) => found.size > 1)).toEqual([])
  })
})
