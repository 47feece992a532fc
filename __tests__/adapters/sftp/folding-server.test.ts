import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeTree } from '../../support/artifact.js'
import { settingsFor } from '../../support/sftp-settings.js'
import { startSftpServer, type SftpServer } from '../../support/sftp-server.mjs'
import { uploadOverWire } from '../../support/wire-upload.js'

const MIB = 1024 * 1024
const COMPOSED = 'caf\u00e9'
const DECOMPOSED = 'cafe\u0301'

let base: string
let local: string
let site: string
let server: SftpServer

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'namesakes-'))
  local = join(base, 'local')
  site = join(base, 'root', 'site')
  await mkdir(site, { recursive: true })
  server = await startSftpServer({ root: join(base, 'root') })
})
afterEach(async () => {
  await server.close()
  await rm(base, { recursive: true })
})

test.each<[string, (path: string) => string, string[], string[]]>([
  ['case', path => path.toLowerCase(), ['README', 'readme', COMPOSED, DECOMPOSED], ['README', 'readme']],
  [
    'accents',
    path => path.normalize('NFD'),
    ['README', 'readme', COMPOSED, DECOMPOSED],
    [COMPOSED, DECOMPOSED]
  ],
  [
    'case and accents',
    path => path.normalize('NFD').toLowerCase(),
    [COMPOSED, DECOMPOSED, COMPOSED.toUpperCase()],
    [COMPOSED, DECOMPOSED, COMPOSED.toUpperCase()]
  ]
])(
  'a server that does not tell names apart by %s: those fail, and the old file stays',
  async (_, fold, all, alike) => {
    const sizes = [3 * MIB, 300, 2 * MIB, 0]
    await writeTree(local, {
      other: 5,
      ...Object.fromEntries(all.map((name, index) => [name, sizes[index] ?? 0]))
    })
    for (const name of alike) await writeFile(join(site, fold(name)), 'old')
    server.faults.foldNames = fold
    const { results } = await uploadOverWire({ settings: settingsFor(server), directory: local })
    const failed = results.filter(({ status }) => status === 'failed')
    expect(failed.map(({ file }) => file.remote.slice('site/'.length)).sort()).toEqual([...alike].sort())
    for (const { file, error } of failed) {
      expect(error).toMatchObject({ code: 'invalid-input', message: expect.stringContaining(file.remote) })
      expect(await readFile(join(base, 'root', fold(file.remote)), 'utf8')).toBe('old')
    }
  }
)

test('a server that tells them apart gets them all, and is asked nothing about other files', async () => {
  await writeTree(local, { README: 300, readme: 2 * MIB, [COMPOSED]: 4, [DECOMPOSED]: 5, other: 6 })
  const asked: string[] = []
  server.faults.forge = ({ op, path = '' }, honest) => {
    if (op === 'stat' && path.endsWith('.part')) asked.push(path.replace(/\.[0-9a-f]{8}\.part$/, ''))
    return [honest]
  }
  const { results } = await uploadOverWire({ settings: settingsFor(server), directory: local })
  expect(results.map(({ status }) => status)).toEqual(Array(5).fill('uploaded'))
  for (const name of await readdir(local)) {
    expect((await readFile(join(site, name))).equals(await readFile(join(local, name)))).toBe(true)
  }
  expect(asked.sort()).toEqual(
    [`site/${DECOMPOSED}`, `site/${COMPOSED}`, 'site/README', 'site/readme'].sort()
  )
})
