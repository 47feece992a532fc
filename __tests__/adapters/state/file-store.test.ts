import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileStore } from '../../../src/adapters/state/file-store.js'
import { enter } from '../../../src/adapters/state/only-one.js'
import { ownSecret } from '../../../src/adapters/state/own-secret.js'

let directory: string
let troubles: string[]

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'file-store-')), 'step')
  troubles = []
})
afterEach(() => rm(join(directory, '..'), { recursive: true }))

const open = (machine = 'here', at = directory) =>
  FileStore.open({ directory: at, machine, onTrouble: text => troubles.push(text) })

/** A process that is there until the function that comes with it is called. */
async function startProcess(): Promise<{ pid: number; end: () => Promise<unknown> }> {
  const child: ChildProcess = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    stdio: 'ignore'
  })
  await once(child, 'spawn')
  const end = () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    return ended
  }
  return { pid: child.pid ?? 0, end }
}

describe('a file store', () => {
  test('gives the next one what was saved last', async () => {
    const first = await open()
    expect(await first.load()).toEqual([])
    await first.save('one')
    await first.save('two')
    await first.close()
    const second = await open()
    expect([second.isAlone, second.isKept, await second.load()]).toEqual([true, true, ['two']])
    await second.close()
    expect(await readdir(directory)).toEqual(['.upload.meta'])
    expect((await stat(join(directory, '.upload.meta'))).mode & 0o777).toBe(0o600)
  })

  test('leaves the state to a process that is at work, and takes it over when that is gone', async () => {
    await (await open()).save('of the other')
    const other = await startProcess()
    try {
      await enter(directory, 'here', other.pid)
      const store = await open()
      await store.save('mine')
      expect([store.isAlone, store.isKept, await store.load()]).toEqual([false, false, ['of the other']])
      expect(troubles).toEqual([expect.stringContaining(`Process ${other.pid}`)])
    } finally {
      await other.end()
    }
    const next = await open()
    expect([next.isAlone, next.isKept]).toEqual([true, true])
    await next.close()
    expect(await readdir(directory)).toEqual(['.upload.meta'])
  })

  test('is not left to a process that only has the number of one that was killed', async () => {
    const other = await startProcess()
    try {
      const presence = await enter(directory, 'here', other.pid)
      const longAgo = new Date(Date.now() - 10 * 60_000)
      await utimes(join(directory, `.running-here-${other.pid}`), longAgo, longAgo)
      const store = await open()
      expect([store.isAlone, store.isKept]).toEqual([true, true])
      await store.close()
      await presence.leave()
      expect(await readdir(directory)).toEqual([])
    } finally {
      await other.end()
    }
  })

  test('does not ask for the processes of another machine', async () => {
    const other = await startProcess()
    try {
      await enter(directory, 'there', other.pid)
      expect((await open()).isAlone).toBe(true)
    } finally {
      await other.end()
    }
  })

  test('of two that begin at the same moment never believes both alone', async () => {
    const other = await startProcess()
    try {
      const [mine, theirs] = await Promise.all([
        enter(directory, 'here'),
        enter(directory, 'here', other.pid)
      ])
      expect([mine.other, theirs.other]).not.toEqual([undefined, undefined])
    } finally {
      await other.end()
    }
  })

  test('that cannot be opened or written is one warning, and no failure', async () => {
    await writeFile(join(directory, '..', 'file'), '')
    const closed = await open('here', join(directory, '..', 'file', 'step'))
    await closed.save('lost')
    expect([closed.isKept, await closed.load()]).toEqual([false, []])
    expect(troubles).toHaveLength(1)

    const store = await open()
    await rm(directory, { recursive: true })
    await writeFile(directory, '')
    await store.save('lost')
    await store.save('lost')
    expect(store.isKept).toBe(false)
    expect(troubles).toHaveLength(2)
  })
})

describe('the own secret', () => {
  test('is made once, and is for its user alone', async () => {
    const path = join(directory, 'deep', 'secret')
    const secret = await ownSecret(path)
    expect(secret).toMatch(/^[0-9a-f]{64}$/)
    expect(await ownSecret(path)).toBe(secret)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await ownSecret(join(directory, 'other'))).not.toBe(secret)
  })

  test('is not taken from a file with something else', async () => {
    const path = join(directory, 'secret')
    await ownSecret(path)
    await writeFile(path, 'hello')
    await expect(ownSecret(path)).rejects.toThrow('64 hexadecimal digits')
  })
})
