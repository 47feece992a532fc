import { beforeEach, describe, expect, jest, test } from '@jest/globals'
import { chmod, mkdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { sha256File } from '../support/artifact.js'
import { readEntry } from '../support/cache-service-archive.js'
import type { Runner } from '../support/runner.mjs'
import {
  buildTree,
  errorsOf,
  expectSameTree,
  listFiles,
  makeDirectory,
  mebibyte,
  numberOf,
  readAll,
  useSite,
  warningsOf
} from '../support/runner-site.js'
import { describeWithSshd } from '../support/sshd.js'

jest.setTimeout(60_000)

const tree = {
  'empty.txt': '',
  'two words.txt': 'spaces',
  ' leading and trailing ': 'spaces at the ends',
  'it\'s "quoted".txt': 'quotes',
  '$(touch pwned).txt': 'a command',
  '`touch pwned`.txt': 'another',
  '${HOME}; rm -rf & | < > #.txt': 'shell',
  '-rf': 'a dash',
  '--/-n': 'more dashes',
  'star * question ? [set] {a,b} !.txt': 'a glob',
  '%0A%25 100%.txt': 'percent',
  '::error::not an error': 'a workflow command',
  '##[group]not a group': 'an old one',
  '<b>|`x`| _md_ @octocat.md': 'markup',
  'caf\u00e9.txt': 'composed',
  'cafe\u0301.txt': 'decomposed',
  '\u65e5\u672c\u8a9e \u{1f600}.txt': 'beyond ASCII',
  'a/b/c/d/e/f/g/h/i/j/deep.bin': 300_000,
  'one block.bin': mebibyte,
  'one block and a byte.bin': mebibyte + 1,
  'large.bin': 9 * mebibyte + 7,
  'bin/run.sh': '#!/bin/sh\n'
}

describeWithSshd('an upload', () => {
  const site = useSite()

  test('puts a tree in place, byte for byte, whatever the names', async () => {
    const machine = await site.machine()
    const directory = await buildTree(machine, tree)
    await chmod(join(directory, 'bin/run.sh'), 0o755)
    await chmod(join(directory, 'empty.txt'), 0o640)
    const { main, post } = await machine.run(site.inputs())
    expect(errorsOf(main)).toEqual([])
    expect([main.exitCode, post?.exitCode]).toEqual([0, 0])
    expect(warningsOf(main, post)).toEqual([])
    expect(Object.keys(tree).sort()).toEqual(await listFiles(directory))
    await expectSameTree(site.target, directory)
    expect((await stat(join(site.target, 'bin/run.sh'))).mode & 0o777).toBe(0o755)
    expect((await stat(join(site.target, 'empty.txt'))).mode & 0o777).toBe(0o640)
    expect(main.streamsHeldOpen).toBe(false)

    const names = Object.keys(tree)
    const sizes = await Promise.all(names.map(async name => (await stat(join(directory, name))).size))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(main.outputs).toMatchObject({
      state: 'complete',
      'uploaded-count': String(names.length),
      'resumed-count': '0',
      'skipped-count': '0',
      'failed-count': '0',
      'total-bytes': String(total),
      'sent-bytes': String(total),
      'reused-bytes': '0'
    })
    const files = JSON.parse(main.outputs.files ?? '') as Record<string, unknown>[]
    expect(files.map(({ remote }) => remote).sort()).toEqual(
      names.map(name => join(site.target, name)).sort()
    )
    const small = files.find(({ local }) => local === join(directory, 'two words.txt'))
    expect(small).toEqual({
      local: join(directory, 'two words.txt'),
      remote: join(site.target, 'two words.txt'),
      size: 6,
      status: 'uploaded',
      sentBytes: 6,
      reusedBytes: 0,
      sha256: await sha256File(join(directory, 'two words.txt'))
    })
    expect(main.summary).toContain('### SFTP upload: complete')
    expect(main.summary.match(/^\| uploaded \|/gm)).toHaveLength(names.length)
    expect(main.summary).not.toMatch(/<b>|@octocat/)
    expect(main.rawLog).not.toMatch(/^::error/m)
  })

  test('keeps a state that names neither user, nor directory, nor file', async () => {
    const machine = await site.machine()
    await buildTree(machine, { 'app.bin': 4 * mebibyte })
    site.link.bytesPerSecond = 2 * mebibyte
    const { main } = await machine.run(site.inputs({ 'checkpoint-interval': '1' }))
    expect(main.exitCode).toBe(0)

    const entries = await Promise.all(site.cache.entries.map(readEntry))
    expect(entries.length).toBeGreaterThan(0)
    const kept = [...entries, ...site.cache.entries.map(({ key }) => key), await readAll(machine.temp)]
    for (const text of kept) {
      for (const name of [site.sshd.username, site.target, 'app.bin']) expect(text).not.toContain(`"${name}"`)
    }
  })

  describe('that is run again', () => {
    const files = { 'app.bin': 3 * mebibyte, 'notes.txt': 'notes', 'empty.txt': '' }

    beforeEach(async () => {
      const machine = await site.machine()
      await buildTree(machine, files)
      expect((await machine.run(site.inputs())).main.exitCode).toBe(0)
    })

    async function runAgain() {
      const machine = await site.machine({ attempt: 2 })
      const directory = await buildTree(machine, files)
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, warningsOf(main, post)]).toEqual([0, []])
      await expectSameTree(site.target, directory)
      return main
    }

    test('skips everything that is in place', async () => {
      const before = site.link.sent
      const main = await runAgain()
      expect(main.outputs).toMatchObject({
        state: 'complete',
        'uploaded-count': '0',
        'skipped-count': '3',
        'sent-bytes': '0',
        'reused-bytes': String(3 * mebibyte + 5)
      })
      expect(site.link.sent - before).toBeLessThan(100_000)
    })

    test('skips everything in a later run, too', async () => {
      const machine = await site.machine({ runId: 2 })
      await buildTree(machine, files)
      const { main } = await machine.run(site.inputs())
      expect(main.outputs).toMatchObject({ state: 'complete', 'skipped-count': '3', 'sent-bytes': '0' })
    })

    test('fails when the server is away, and does not speak of bytes to continue with', async () => {
      site.link.refuse = true
      const machine = await site.machine({ attempt: 2 })
      await buildTree(machine, files)
      const { main } = await machine.run(site.inputs())
      expect(main.exitCode).toBe(1)
      expect(main.outputs).toMatchObject({ state: 'incomplete', 'failed-count': '3' })
      expect(main.log).not.toContain('continues with')
    })

    test('uploads what was deleted on the server', async () => {
      await rm(join(site.target, 'app.bin'))
      expect((await runAgain()).outputs).toMatchObject({
        'uploaded-count': '1',
        'skipped-count': '2',
        'sent-bytes': String(files['app.bin'])
      })
    })

    test('uploads what was changed on the server, in size or in time only', async () => {
      await writeFile(join(site.target, 'notes.txt'), 'another size')
      const path = join(site.target, 'app.bin')
      const later = new Date(Date.now() + 10_000)
      await writeFile(path, Buffer.alloc(files['app.bin']))
      await utimes(path, later, later)
      expect((await runAgain()).outputs).toMatchObject({ 'uploaded-count': '2', 'skipped-count': '1' })
    })

    test('uploads what was changed here', async () => {
      const machine = await site.machine({ attempt: 2 })
      const directory = await buildTree(machine, { ...files, 'notes.txt': 'Notes' })
      const { main } = await machine.run(site.inputs())
      expect(main.outputs).toMatchObject({ 'uploaded-count': '1', 'skipped-count': '2', 'sent-bytes': '5' })
      await expectSameTree(site.target, directory)
    })
  })

  describe('of nothing', () => {
    const inputs = (choice: string) =>
      site.inputs({ paths: 'build/*.zip\nother', 'if-no-files-found': choice })

    test('fails by default and names the paths, without a connection', async () => {
      const machine = await site.machine()
      await buildTree(machine, { 'app.bin': 1 })
      const { main, post } = await machine.run(site.inputs({ paths: 'build/*.zip\nother' }))
      expect(main.exitCode).toBe(1)
      expect(errorsOf(main).join('\n')).toMatch(/paths.*build\/\*\.zip.*other/s)
      expect(main.outputs.state).toBe('incomplete')
      expect([post?.exitCode, site.link.connections]).toEqual([0, 0])
    })

    test.each([
      ['warn', 1],
      ['ignore', 0]
    ])('with %s succeeds, with %i warnings', async (choice, warnings) => {
      const machine = await site.machine()
      const { main, post } = await machine.run(inputs(choice))
      expect(main.exitCode).toBe(0)
      expect(warningsOf(main, post)).toHaveLength(warnings)
      expect(main.outputs).toMatchObject({ state: 'complete', 'uploaded-count': '0', files: '[]' })
      expect(main.log).toContain('build/*.zip')
      expect(site.link.connections).toBe(0)
    })
  })

  describe('in which a file fails', () => {
    const files = {
      'before.txt': 'before',
      'large.bin': 3 * mebibyte,
      'small.txt': 'small',
      'zz.bin': 2 * mebibyte
    }

    async function expectAllBut(failed: string[], machine: Runner) {
      const { main, post } = await machine.run(site.inputs())
      expect([main.exitCode, post?.exitCode]).toEqual([1, 0])
      expect(main.outputs).toMatchObject({
        state: 'incomplete',
        'failed-count': String(failed.length),
        'uploaded-count': String(Object.keys(files).length - failed.length)
      })
      for (const name of Object.keys(files)) {
        const uploaded = join(site.target, name)
        if (failed.includes(name)) expect(main.summary).toMatch(new RegExp(`not in place.*${name}`))
        else expect(await sha256File(uploaded)).toBe(await sha256File(join(machine.workspace, 'build', name)))
      }
      expect(main.log).toMatch(new RegExp(`Not in place: .*${failed[0] ?? ''}`))
      return main
    }

    test.each([['large.bin'], ['small.txt']])(
      'because a directory is in place of %s: the others are uploaded',
      async name => {
        await mkdir(join(site.target, name, 'below'), { recursive: true })
        const machine = await site.machine()
        await buildTree(machine, files)
        const main = await expectAllBut([name], machine)
        expect(errorsOf(main).join('\n')).toContain('directory')
        expect(errorsOf(main).join('\n')).toContain(name)
        expect((await stat(join(site.target, name))).isDirectory()).toBe(true)

        await rm(join(site.target, name), { recursive: true })
        const { main: again } = await machine.run(site.inputs())
        expect(again.outputs).toMatchObject({
          state: 'complete',
          'uploaded-count': '1',
          'skipped-count': '3'
        })
        await expectSameTree(site.target, join(machine.workspace, 'build'))
      }
    )

    test('because it cannot be read: the others are uploaded', async () => {
      const machine = await site.machine()
      const path = join(await buildTree(machine, files), 'small.txt')
      if (userInfo().uid === 0) {
        // Nobody may read it, not even root.
        await rm(path)
        await symlink('/sys/bus/cpu/drivers_probe', path)
      } else {
        await chmod(path, 0)
      }
      const main = await expectAllBut(['small.txt'], machine)
      expect(errorsOf(main).join('\n')).toContain('small.txt')
    })

    test('because a file is in place of its directory: the others are uploaded', async () => {
      await makeDirectory(site.target)
      await writeFile(join(site.target, 'docs'), 'a file')
      const machine = await site.machine()
      await buildTree(machine, { 'docs/index.html': 'x', 'app.bin': 2 * mebibyte })
      const { main } = await machine.run(site.inputs())
      expect(main.exitCode).toBe(1)
      expect(main.outputs).toMatchObject({ 'failed-count': '1', 'uploaded-count': '1' })
      expect(errorsOf(main).join('\n')).toContain('docs')
      expect(await readFile(join(site.target, 'docs'), 'utf8')).toBe('a file')
    })
  })

  test('over one connection, in small chunks, with every byte read back, gives the same', async () => {
    const machine = await site.machine()
    const directory = await buildTree(machine, { 'app.bin': 5 * mebibyte + 3, 'notes.txt': 'notes' })
    const built = 1_700_000_000
    await utimes(join(directory, 'app.bin'), built, built)
    const { main } = await machine.run(
      site.inputs({
        connections: '1',
        'chunk-size': '4096',
        verify: 'full',
        'preserve-mtime': 'true',
        'file-mode': '600',
        'dir-mode': '775'
      })
    )
    expect(main.exitCode).toBe(0)
    await expectSameTree(site.target, directory)
    const remote = await stat(join(site.target, 'app.bin'))
    expect(remote.mtimeMs).toBe(built * 1000)
    expect(remote.mode & 0o777).toBe(0o600)
    expect((await stat(site.target)).mode & 0o777).toBe(0o775)
    expect(site.link.connections).toBe(1)
    expect(numberOf(main, 'sent-bytes')).toBe(5 * mebibyte + 3 + 5)
  })

  test('of many small files arrives whole', async () => {
    const machine = await site.machine()
    const names = Array.from({ length: 500 }, (_, index) => `${index % 20}/file ${index}.txt`)
    const directory = await buildTree(
      machine,
      Object.fromEntries(names.map(name => [name, `content of ${name}`]))
    )
    const { main } = await machine.run(site.inputs())
    expect(main.outputs).toMatchObject({ state: 'complete', 'uploaded-count': '500' })
    await expectSameTree(site.target, directory)
    expect(main.log.split('\n').filter(line => !line.startsWith('::')).length).toBeLessThan(50)
  })
})
