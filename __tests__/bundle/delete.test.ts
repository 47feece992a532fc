import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeTree } from '../support/artifact.js'
import type { Inputs, Runner } from '../support/runner.mjs'
import { buildTree, errorsOf, listFiles, makeDirectory, useSite, warningsOf } from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const UPLOADED = ['docs/guide.html', 'index.html']
const EXTRANEOUS = ['docs/old.html', 'link-out', 'old/deep/a.html', 'old/b.html', 'old.html']
const STAYING = [
  '.htaccess',
  '.upload.meta',
  'app.zip.0123abcd.part',
  'app.zip.0123abcd.part.old',
  'error.log',
  'left/film.part',
  'uploads/photo.jpg'
]

describeWithSshd('delete', () => {
  const site = useSite()
  let machine: Runner
  let outside: string

  beforeEach(async () => {
    machine = await site.machine()
    await buildTree(machine, Object.fromEntries(UPLOADED.map(name => [name, name])))
    await writeFile(join(machine.workspace, '.sftpignore'), '*.log\n/build/uploads/\n')
    outside = await makeDirectory(`${site.target}-outside`)
    await writeFile(join(outside, 'precious.txt'), 'precious')
    const there = [...EXTRANEOUS.filter(name => name !== 'link-out'), ...STAYING]
    await mkdir(site.target)
    await writeTree(site.target, Object.fromEntries(there.map(name => [name, name])))
    await mkdir(join(site.target, 'empty/in empty'), { recursive: true })
    await symlink(outside, join(site.target, 'link-out'))
  })

  function run(more: Inputs = {}) {
    return machine.run(site.inputs({ delete: 'true', ...more }))
  }

  test('leaves the list of checksums, which is part of the upload', async () => {
    const { main } = await run({ 'checksum-file': 'SHA256SUMS' })
    expect([main.exitCode, errorsOf(main)]).toEqual([0, []])
    expect(await listFiles(site.target)).toEqual([...UPLOADED, ...STAYING, 'SHA256SUMS'].sort())
    expect(main.outputs).toMatchObject({ 'deleted-count': '9' })
  })

  test.each(['warn', 'ignore'])(
    'removes nothing where a line matches nothing (if-no-files-found: %s)',
    async rule => {
      const paths = 'build\nout/docs => old'
      for (const dryRun of ['true', 'false']) {
        const { main, post } = await run({ paths, 'if-no-files-found': rule, 'dry-run': dryRun })
        expect([main.exitCode, errorsOf(main), main.outputs['deleted-count']]).toEqual([0, [], '0'])
        expect(warningsOf(main, post).at(-1)).toMatch(
          /^Nothing is deleted, because .*: paths line 2 \("out\/docs => old"\) matches nothing\.$/
        )
      }
      expect(await listFiles(site.target)).toEqual([...UPLOADED, ...EXTRANEOUS, ...STAYING].sort())
    }
  )

  test('says that there is no ignore file which would keep anything', async () => {
    const text = 'There is no .sftpignore here'
    expect((await run({ 'dry-run': 'true' })).main.log).not.toContain(text)
    await rm(join(machine.workspace, '.sftpignore'))
    expect((await run({ 'dry-run': 'true' })).main.log).toContain(text)
    expect((await run({ 'dry-run': 'true', 'ignore-file': '' })).main.log).not.toContain(text)
  })

  test('removes what is no part of the upload, and nothing else', async () => {
    const { main, post } = await run()
    expect([main.exitCode, errorsOf(main), warningsOf(main, post)]).toEqual([0, [], []])
    expect(await listFiles(site.target)).toEqual([...UPLOADED, ...STAYING].sort())
    for (const name of ['old', 'old/deep', 'empty', 'empty/in empty']) {
      await expect(lstat(join(site.target, name))).rejects.toMatchObject({ code: 'ENOENT' })
    }
    expect(await readFile(join(outside, 'precious.txt'), 'utf8')).toBe('precious')
    expect(main.outputs).toMatchObject({ state: 'complete', 'deleted-count': '9', 'uploaded-count': '2' })
    for (const name of [...EXTRANEOUS, 'old/', 'old/deep/', 'empty/', 'empty/in empty/']) {
      expect(main.log).toContain(`Removed ${join(site.target, name)}`)
    }
    expect(main.summary).toContain('Deleted 9 files and directories below remote-path.')
  })

  test('removes nothing when it is off', async () => {
    const { main } = await run({ delete: 'false' })
    expect(main.exitCode).toBe(0)
    expect(await listFiles(site.target)).toEqual([...UPLOADED, ...EXTRANEOUS, ...STAYING].sort())
    expect(main.outputs['deleted-count']).toBe('0')
  })

  test('with include-hidden-files takes hidden names for a part of the upload', async () => {
    const { main } = await run({ 'include-hidden-files': 'true' })
    expect(main.exitCode).toBe(0)
    const staying = STAYING.filter(name => name !== '.htaccess')
    expect(await listFiles(site.target)).toEqual([...UPLOADED, ...staying].sort())
  })

  test('in a dry run shows it, and removes nothing', async () => {
    const { main } = await run({ 'dry-run': 'true' })
    expect(main.exitCode).toBe(0)
    expect(await listFiles(site.target)).toEqual([...EXTRANEOUS, ...STAYING].sort())
    expect((await lstat(join(site.target, 'empty/in empty'))).isDirectory()).toBe(true)
    for (const name of [...EXTRANEOUS, 'old/', 'empty/in empty/']) {
      expect(main.log).toContain(`Would remove ${join(site.target, name)}`)
    }
    expect(main.log).not.toMatch(/Would remove .*(photo|part|htaccess|meta|precious)/)
    expect(main.outputs['deleted-count']).toBe('0')
    expect(main.summary).toContain('A run uploads 2 files, sends 25 B, deletes 9 files and directories.')
  })

  test('above the limit fails and removes nothing; the upload is in place', async () => {
    const { main } = await run({ 'delete-limit': '8' })
    expect(main.exitCode).toBe(1)
    expect(errorsOf(main).join('\n')).toMatch(/delete-limit: must be at least the 9 files and directories/)
    expect(await listFiles(site.target)).toEqual([...UPLOADED, ...EXTRANEOUS, ...STAYING].sort())
    expect(main.outputs).toMatchObject({ state: 'complete', 'uploaded-count': '2', 'deleted-count': '0' })
    expect(main.summary).toMatch(/^### SFTP upload: complete, but not everything was deleted$/m)
    expect(main.summary).toContain('Nothing was deleted below remote-path.')
    expect(main.summary).toContain('must be at least the 9 files and directories')
  })

  test('removes nothing when a file is not in place', async () => {
    await mkdir(join(site.target, 'index.html/below'), { recursive: true })
    const { main } = await run()
    expect(main.exitCode).toBe(1)
    expect(main.log).toContain('Nothing is deleted, because not every file is in place.')
    expect(await listFiles(site.target)).toEqual(expect.arrayContaining(EXTRANEOUS))
  })

  test('removes nothing when there is nothing to upload', async () => {
    const { main } = await run({ paths: 'nothing', 'if-no-files-found': 'ignore' })
    expect([main.exitCode, site.link.connections]).toEqual([0, 0])
    expect(await listFiles(site.target)).toEqual([...EXTRANEOUS, ...STAYING].sort())
  })

  describe('is refused before there is a connection', () => {
    test.each([
      ['for the login directory', { 'remote-path': '.' }, 'remote-path "."'],
      ['for the root', { 'remote-path': '/' }, 'remote-path "/"'],
      ['for a path with ..', { 'remote-path': '/srv/www/..' }, 'remote-path "/srv/www/.."'],
      ['for a shard', { shard: '1/2' }, 'shard "1/2"']
    ])('%s', async (_, more, found) => {
      const { main } = await run(more)
      expect([main.exitCode, site.link.connections]).toEqual([1, 0])
      expect(errorsOf(main).join('\n')).toMatch(/^delete: must /)
      expect(errorsOf(main).join('\n')).toContain(found)
    })
  })
})
