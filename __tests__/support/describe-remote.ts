import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import type { Remote } from '../../src/engine/ports.js'

export interface OpenedRemote {
  readonly remote: Remote
  /** A directory that is there, for this test alone. */
  readonly directory: string
  /** Lets the work happen, where time stands still by itself. */
  during(work: () => Promise<void>): Promise<void>
  /** Makes a symbolic link; both paths are below the directory. */
  link(target: string, path: string): void
  close(): Promise<void>
}

/** What every Remote does, whatever is behind it. Memory has no room for a file of some GiB: then without `largeFiles`. */
export function describeRemote(
  name: string,
  open: () => Promise<OpenedRemote>,
  { largeFiles = true } = {}
): void {
  describe(`a remote: ${name}`, () => {
    let opened: OpenedRemote
    let remote: Remote
    const at = (path: string) => `${opened.directory}/${path}`

    const check = (behaviour: string, body: () => Promise<void>) => {
      test(behaviour, () => opened.during(body))
    }

    beforeAll(async () => {
      opened = await open()
      remote = opened.remote
    })
    afterAll(() => opened.close())

    async function put(path: string, bytes: Uint8Array): Promise<void> {
      const file = await remote.create(path, 0o644)
      const { chunkSize } = remote
      const writes: Promise<void>[] = []
      for (let from = 0; from < bytes.length; from += chunkSize) {
        writes.push(file.write(bytes.subarray(from, from + chunkSize), from))
      }
      await Promise.all(writes)
      await file.close()
    }

    async function contentOf(path: string): Promise<Uint8Array> {
      const file = await remote.openForReading(path)
      const { size } = await file.stat()
      const bytes = await file.read({ offset: 0, length: size })
      await file.close()
      return bytes
    }

    check('holds what was written, chunk by chunk', async () => {
      const bytes = randomBytes(3 * remote.chunkSize + 17)
      await put(at('whole'), bytes)
      expect(Buffer.compare(await contentOf(at('whole')), bytes)).toBe(0)
      expect(await remote.stat(at('whole'))).toMatchObject({ size: bytes.length, isDirectory: false })
    })

    check('waits for the disk where it can, and does without where not', async () => {
      const file = await remote.create(at('synced'), undefined)
      await file.write(Buffer.alloc(1000, 3), 0)
      await file.sync()
      await file.close()
      expect(Buffer.compare(await contentOf(at('synced')), Buffer.alloc(1000, 3))).toBe(0)
    })

    check('takes the bytes at the call: the caller may use the memory again', async () => {
      const bytes = Buffer.alloc(1000, 1)
      const file = await remote.create(at('copied'), undefined)
      const written = file.write(bytes, 0)
      bytes.fill(2)
      await written
      await file.close()
      expect(Buffer.compare(await contentOf(at('copied')), Buffer.alloc(1000, 1))).toBe(0)
    })

    check('reopens a file without changing it, and writes in its middle', async () => {
      const bytes = randomBytes(5000)
      await put(at('reopened'), bytes)
      const file = await remote.reopen(at('reopened'))
      expect((await file.stat()).size).toBe(5000)
      await file.write(Buffer.alloc(100, 7), 2000)
      await file.close()
      bytes.fill(7, 2000, 2100)
      expect(Buffer.compare(await contentOf(at('reopened')), bytes)).toBe(0)
    })

    check('empties a file that is created again', async () => {
      await put(at('again'), randomBytes(1000))
      await (await remote.create(at('again'), undefined)).close()
      expect((await remote.stat(at('again')))?.size).toBe(0)
    })

    check('reads fewer bytes only at the end of the file', async () => {
      await put(at('short'), Buffer.from('0123456789'))
      const file = await remote.openForReading(at('short'))
      expect(Buffer.from(await file.read({ offset: 4, length: 100 })).toString()).toBe('456789')
      expect(await file.read({ offset: 10, length: 5 })).toHaveLength(0)
      await file.close()
    })

    check('says what is missing, and refuses to open it', async () => {
      expect(await remote.stat(at('missing'))).toBeUndefined()
      await expect(remote.reopen(at('missing'))).rejects.toMatchObject({ code: 'not-found' })
      await expect(remote.openForReading(at('missing'))).rejects.toMatchObject({ code: 'not-found' })
      await expect(remote.create(at('missing/file'), undefined)).rejects.toMatchObject({ code: 'not-found' })
      await expect(remote.remove(at('missing'))).resolves.toBeUndefined()
    })

    check('makes a directory once', async () => {
      await remote.makeDirectory(at('made'), undefined)
      expect(await remote.stat(at('made'))).toMatchObject({ isDirectory: true })
      await expect(remote.makeDirectory(at('made'), undefined)).rejects.toMatchObject({ name: 'UploadError' })
    })

    check('lists the names in a directory', async () => {
      await remote.makeDirectory(at('listed'), undefined)
      await put(at('listed/a b'), Buffer.from('a'))
      await put(at('listed/ü'), Buffer.from('u'))
      const entries = await remote.list(at('listed'))
      expect(entries.map(entry => entry.name).sort()).toEqual(['a b', 'ü'])
    })

    check('removes an empty directory, and no other', async () => {
      await remote.makeDirectory(at('emptied'), undefined)
      await put(at('emptied/file'), Buffer.from('x'))
      await expect(remote.removeDirectory(at('emptied'))).rejects.toMatchObject({ name: 'UploadError' })
      await remote.remove(at('emptied/file'))
      await remote.removeDirectory(at('emptied'))
      expect(await remote.stat(at('emptied'))).toBeUndefined()
    })

    check('tells what is at a path, and removes a symbolic link without following it', async () => {
      await remote.makeDirectory(at('kinds'), undefined)
      await put(at('kinds/file'), Buffer.from('x'))
      opened.link('kinds', 'link-to-directory')
      opened.link('kinds/file', 'link-to-file')
      opened.link('nothing', 'link-to-nothing')
      const names = ['kinds', 'kinds/file', 'link-to-directory', 'link-to-file', 'link-to-nothing', 'absent']
      const kinds = await Promise.all(names.map(name => remote.kindOf(at(name))))
      expect(kinds).toEqual(['directory', 'file', 'symlink', 'symlink', 'symlink', undefined])
      expect(await remote.stat(at('link-to-directory'))).toMatchObject({ isDirectory: true })
      for (const name of names.filter(name => name.startsWith('link'))) await remote.remove(at(name))
      expect(await remote.kindOf(at('link-to-directory'))).toBeUndefined()
      expect((await remote.list(at('kinds'))).map(({ name }) => name)).toEqual(['file'])
    })

    check('renames, and replaces where it can', async () => {
      await put(at('new'), Buffer.from('new'))
      await remote.rename(at('new'), at('final'))
      expect(Buffer.from(await contentOf(at('final'))).toString()).toBe('new')
      expect(await remote.stat(at('new'))).toBeUndefined()
      await put(at('newer'), Buffer.from('newer'))
      if (remote.canReplace) {
        await remote.replace(at('newer'), at('final'))
        expect(Buffer.from(await contentOf(at('final'))).toString()).toBe('newer')
        expect(await remote.stat(at('newer'))).toBeUndefined()
      }
    })

    check('copies ranges of a file to the same places of a new one, where it can', async () => {
      if (!remote.canCopy) return
      const bytes = randomBytes(300_000)
      await put(at('original'), bytes)
      const ranges = [
        { offset: 10, length: 100_000 },
        { offset: 200_000, length: 50_000 }
      ]
      await remote.copy(at('original'), at('copy'), ranges, 0o600)
      const expected = Buffer.alloc(250_000)
      for (const { offset, length } of ranges) bytes.copy(expected, offset, offset, offset + length)
      expect(Buffer.compare(await contentOf(at('copy')), expected)).toBe(0)
      expect(Buffer.compare(await contentOf(at('original')), bytes)).toBe(0)
      await expect(remote.copy(at('missing'), at('copy'), ranges, 0o600)).rejects.toMatchObject({
        code: 'not-found'
      })
      await expect(remote.copy(at('original'), at('missing/copy'), ranges, 0o600)).rejects.toMatchObject({
        code: 'not-found'
      })
    })

    check('sets mode and mtime', async () => {
      await put(at('attributes'), Buffer.from('x'))
      await remote.setAttributes(at('attributes'), { mode: 0o640, mtime: 1_600_000_000 })
      const stat = await remote.stat(at('attributes'))
      expect(stat?.mtime).toBe(1_600_000_000)
      expect((stat?.mode ?? 0) & 0o777).toBe(0o640)
    })

    check('tells how much is free, or nothing, and of no directory that is missing', async () => {
      const free = await remote.freeBytes(opened.directory)
      if (free === undefined) return
      expect(free).toBeGreaterThan(0)
      await expect(remote.freeBytes(at('missing'))).rejects.toMatchObject({ code: 'not-found' })
    })

    if (largeFiles) {
      check('keeps offsets beyond 4 GiB', async () => {
        const offset = 5 * 1024 ** 3
        const file = await remote.create(at('sparse'), undefined)
        await file.write(Buffer.from('far'), offset)
        expect((await file.stat()).size).toBe(offset + 3)
        await file.close()
        await remote.remove(at('sparse'))
      })
    }

    // Last: it ends the session.
    check('refuses everything once it is closed, and says so', async () => {
      const file = await remote.create(at('closing'), undefined)
      remote.close()
      expect(await remote.ended).toMatchObject({ code: 'connection-lost' })
      await expect(file.write(Buffer.from('x'), 0)).rejects.toMatchObject({ code: 'connection-lost' })
      await expect(remote.stat(at('closing'))).rejects.toMatchObject({ code: 'connection-lost' })
      await expect(remote.create(at('other'), undefined)).rejects.toMatchObject({ code: 'connection-lost' })
    })
  })
}
