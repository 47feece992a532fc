import { expect, test } from '@jest/globals'
import { Socket } from 'node:net'
import { coalesceWrites } from '../../../src/adapters/sftp/coalesce-writes.js'

test('hands everything that is written in one turn to the system at once', async () => {
  const handedOver: string[][] = []
  const socket = new Socket()
  socket._writev = (chunks, done) => {
    handedOver.push(chunks.map(({ chunk }: { chunk: Buffer }) => chunk.toString()))
    done()
  }
  coalesceWrites(socket)
  for (const text of ['length', 'body', 'tag']) socket.write(text)
  await new Promise(resolve => setImmediate(resolve))
  socket.write('next')
  socket.write('turn')
  await new Promise(resolve => setImmediate(resolve))
  expect(handedOver).toEqual([
    ['length', 'body', 'tag'],
    ['next', 'turn']
  ])
})
