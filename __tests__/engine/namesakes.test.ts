import { expect, test } from '@jest/globals'
import { deriveStateKeys } from '../../src/core/seal.js'
import { Namesakes } from '../../src/engine/namesakes.js'
import { Run } from '../../src/engine/run.js'
import { MemoryClock } from '../support/memory-clock.js'
import { MemoryServer } from '../support/memory-server.js'

const ID = '0123abcd'

function fileOf(remote: string) {
  return { local: `/project/${remote}`, remote, size: 1 }
}

async function open(...names: readonly string[]) {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const namesakes = new Namesakes(names.map(fileOf))
  const expectApart = (name: string) => clock.until(namesakes.expectApart(remote, fileOf(name), ID))
  const asked = () => server.requests('stat').map(({ path }) => path)
  return { server, expectApart, asked }
}

test.each([
  ['letters', 'site/App.js', 'site/app.JS'],
  ['the composition of an accent', 'site/caf\u00e9', 'site/cafe\u0301'],
  ['letters and the composition of an accent', 'site/CAF\u00c9', 'site/cafe\u0301'],
  ['the directory', 'Site/app.js', 'site/app.js']
])('refuses a file that the server takes for another, by %s', async (_, one, other) => {
  const { server, expectApart } = await open('site/else', one, other)
  server.put(`${other}.${ID}.part`, Buffer.from('x'))
  await expect(expectApart(one)).rejects.toMatchObject({
    code: 'invalid-input',
    message: `paths: every file must have a remote path of its own; this server does not tell ${JSON.stringify(one)} from ${JSON.stringify(other)}`
  })
})

test('asks for the part file under the name of each other one, and is content when none is there', async () => {
  const { server, expectApart, asked } = await open('ab', 'C', 'AB', 'c', 'aab', 'áb', 'Ab')
  server.put(`ab.${ID}.part`, Buffer.from('x'))
  await expectApart('ab')
  expect(asked()).toEqual([`AB.${ID}.part`, `Ab.${ID}.part`])
})

test('asks for nothing where no name is like it', async () => {
  const { expectApart, asked } = await open('a', 'b', 'ab', 'a/b')
  await expectApart('a')
  expect(asked()).toEqual([])
})

test('asks for nothing where the file itself is not planned, which no other can be taken for', async () => {
  const { expectApart, asked } = await open('a')
  await expectApart('b')
  expect(asked()).toEqual([])
})

test('a run knows the names that other shards upload', async () => {
  const clock = new MemoryClock()
  const server = new MemoryServer(clock)
  const remote = await clock.until(server.connect(new AbortController().signal))
  const state = {
    keys: deriveStateKeys('a secret'),
    writer: { run: '1', attempt: 1, runner: 'a' },
    job: '',
    isOnlyWriter: true,
    intervalMs: 0,
    store: undefined
  }
  const run = new Run({
    files: [fileOf('site/App.js')],
    elsewhere: [fileOf('site/app.js')],
    server: 'deploy@example.org:22',
    state,
    world: { clock, emit: () => undefined }
  })
  server.put(`site/app.js.${ID}.part`, Buffer.from('x'))
  const looking = run.namesakes.expectApart(remote, fileOf('site/App.js'), ID)
  await expect(clock.until(looking)).rejects.toMatchObject({ code: 'invalid-input' })
})
