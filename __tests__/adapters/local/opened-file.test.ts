import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { statSync, utimesSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenedFile } from '../../../src/adapters/local/opened-file.js'

class AnyFile extends OpenedFile {}

const real = process.platform

let directory: string
let local: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'opened-'))
  local = join(directory, 'app.bin')
  await writeFile(local, 'text')
})
afterEach(async () => {
  runOn(real)
  await rm(directory, { recursive: true })
})

function runOn(platform: NodeJS.Platform): void {
  Object.defineProperty(process, 'platform', { value: platform })
}

/** A file on a volume that is told otherwise for its path than for the open file. */
function openOnTwoVolumes(): OpenedFile {
  const opened = statSync(local, { bigint: true })
  opened.dev += 1n
  return new AnyFile({ local, remote: 'app.bin', size: 4 }, opened)
}

test('a file on another volume is another file', async () => {
  runOn('linux')
  await expect(openOnTwoVolumes().confirmUnchanged()).rejects.toMatchObject({ code: 'source-changed' })
})

test('on Windows, where a path may tell another volume than an open file, the rest decides', async () => {
  runOn('win32')
  const file = openOnTwoVolumes()
  await file.confirmUnchanged()
  utimesSync(local, 1, 1)
  await expect(file.confirmUnchanged()).rejects.toMatchObject({ code: 'source-changed' })
})
