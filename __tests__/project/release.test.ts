import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'release-'))
})
afterEach(() => rm(directory, { recursive: true }))

function run(program: string, options: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(program, options, {
    cwd: directory,
    env: { ...process.env, ...environment },
    encoding: 'utf8'
  })
  return { status, stdout, stderr }
}

describe('what is released', () => {
  const release = (command: string) => run(process.execPath, [resolve('script/release.mjs'), command])

  async function writeProject(project: { version?: string; locked?: string; changelog?: string }) {
    const { version = '1.2.3', changelog = '' } = project
    const { locked = version } = project
    await writeFile(join(directory, 'package.json'), JSON.stringify({ version }))
    await writeFile(join(directory, 'package-lock.json'), JSON.stringify({ version: locked }))
    await writeFile(join(directory, 'CHANGELOG.md'), changelog)
  }

  test('is tagged with the version and its major version', async () => {
    await writeProject({ version: '12.0.7' })
    expect(release('tags')).toEqual({ status: 0, stdout: 'tag=v12.0.7\nmajor=v12\n', stderr: '' })
  })

  test('is told by its section of the changelog', async () => {
    await writeProject({
      changelog: '# Changelog\n\n## 1.2.3 (2026-11-23)\n\n- A.\n- B.\n\n## 1.2.2\n\n- C.\n'
    })
    expect(release('notes')).toEqual({ status: 0, stdout: '- A.\n- B.\n', stderr: '' })
  })

  test.each([
    ['the section of another version', { changelog: '## Unreleased\n\n- A.\n' }, /1\.2\.3.*found Unreleased/],
    ['a version that only begins so', { changelog: '## 1.2.30\n\n- A.\n' }, /1\.2\.3,.*found 1\.2\.30/],
    ['an empty section', { changelog: '## 1.2.3\n\n## 1.2.2\n\n- C.\n' }, /1\.2\.3 must say/],
    ['no section', { changelog: '# Changelog\n' }, /found none/],
    ['a lock file of another version', { locked: '1.2.2' }, /package-lock\.json.*1\.2\.3; found 1\.2\.2/],
    ['a version that is not three numbers', { version: '1.2.3-rc.1' }, /package\.json.*found 1\.2\.3-rc\.1/]
  ])('is refused with %s', async (_what, project, message) => {
    await writeProject(project)
    const { status, stdout, stderr } = release('notes')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(message)
  })
})

describe('publishing', () => {
  const commit = 'a'.repeat(40)

  /** Stands in for GitHub's command line: answers by the file of that name, and notes what is asked for. */
  async function publish(answers: { tag?: string; major?: string; hasRelease?: boolean; isDown?: boolean }) {
    const { tag = '', major = '', hasRelease = false, isDown = false } = answers
    const gh = `#!/bin/sh
echo "$*" >> calls
case "$*" in
  *matching-refs*) ${isDown ? 'exit 1;' : ''} case "$*" in */v1.2.3\\ *) echo "${tag}" ;; *) echo "${major}" ;; esac ;;
  'release view '*) exit ${hasRelease ? 0 : 1} ;;
esac
`
    await writeFile(join(directory, 'gh'), gh, { mode: 0o755 })
    const { status } = run(resolve('script/publish-release'), ['v1.2.3', 'v1', 'notes.md'], {
      PATH: `${directory}${delimiter}${process.env.PATH ?? ''}`,
      GITHUB_REPOSITORY: 'owner/project',
      GITHUB_SHA: commit
    })
    const calls = await readFile(join(directory, 'calls'), 'utf8')
    const writes = calls.split('\n').filter(call => /release create|--method/.test(call))
    return { status, writes }
  }

  const create = `release create v1.2.3 --repo owner/project --target ${commit} --title v1.2.3 --notes-file notes.md`
  const make = `api --silent --method POST repos/owner/project/git/refs -f ref=refs/tags/v1 -f sha=${commit}`
  const move = `api --silent --method PATCH repos/owner/project/git/refs/tags/v1 -f sha=${commit} -F force=true`

  test('the first of a major version makes both tags', async () => {
    expect(await publish({})).toEqual({ status: 0, writes: [create, make] })
  })

  test('a later one moves the major tag', async () => {
    expect(await publish({ major: 'b'.repeat(40) })).toEqual({ status: 0, writes: [create, move] })
  })

  test('again, after it was cut short, only does what is missing', async () => {
    const again = { tag: commit, hasRelease: true, major: 'b'.repeat(40) }
    expect(await publish(again)).toEqual({ status: 0, writes: [move] })
  })

  test('a version that another commit has changes nothing', async () => {
    expect(await publish({ tag: 'b'.repeat(40) })).toEqual({ status: 1, writes: [] })
  })

  test('without an answer changes nothing', async () => {
    expect(await publish({ isDown: true })).toEqual({ status: 1, writes: [] })
  })
})
