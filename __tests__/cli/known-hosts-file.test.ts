import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readKnownHosts } from '../../src/cli/known-hosts-file.js'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOxeRg87Pmh088hQtM9QEPgaOI19h/qmmoI/fhV2Ers/'

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'home-'))
  await mkdir(join(home, '.ssh'))
})
afterEach(() => rm(home, { recursive: true }))

test('a home without known_hosts knows no host', async () => {
  expect(await readKnownHosts(undefined, home)).toEqual({ text: '', notices: [] })
})

test('an authority, which pins nothing, is no damage', async () => {
  const text = `@cert-authority *.example.com ${KEY}\n`
  await writeFile(join(home, '.ssh', 'known_hosts'), text)
  expect(await readKnownHosts(undefined, home)).toEqual({ text, notices: [] })
})

test("a damaged line of the user's own file is passed over, and the numbers of the others stay", async () => {
  const line = `host ${KEY}`
  const own = join(home, '.ssh', 'known_hosts')
  await writeFile(own, `# mine\nrubbish\n${line}\n`)
  const { text, notices } = await readKnownHosts(undefined, home)
  expect(text).toBe(`# mine\n\n${line}\n`)
  expect(notices).toEqual([expect.stringContaining('known_hosts line 2')])
  expect(await readKnownHosts(own, home)).toEqual({ text: `# mine\nrubbish\n${line}\n`, notices: [] })
})

test('a file that was named must be there', async () => {
  await expect(readKnownHosts(join(home, 'none'), home)).rejects.toMatchObject({ code: 'invalid-input' })
})
