import { expect, test } from '@jest/globals'
import { dialogues } from '../../../src/adapters/sftp/dialogue.js'

test('a dialogue is told with its connection, without its traffic', () => {
  const lines: string[] = []
  const take = dialogues(line => lines.push(line))('connect to example.com port 22')
  take('Outbound: Sending KEXINIT')
  take('Outbound: Sending CHANNEL_DATA (r:0, 31769)')
  take('Inbound: CHANNEL_WINDOW_ADJUST (r:0, 98304)')
  take('SFTP: Outbound: Buffered WRITE (id:3)')
  take('SFTP: Inbound: Received VERSION (v3, exts: posix-rename@openssh.com)')
  expect(lines).toEqual([
    'connect to example.com port 22: Outbound: Sending KEXINIT',
    'connect to example.com port 22: SFTP: Inbound: Received VERSION (v3, exts: posix-rename@openssh.com)'
  ])
})

test('a dialogue without end is cut off, and so are very many', () => {
  const lines: string[] = []
  const take = dialogues(line => lines.push(line))
  for (let connection = 0; connection < 100; connection++) {
    const takeLine = take(`connection ${connection}`)
    for (let line = 0; line < 1000; line++) takeLine(`line ${line}`)
  }
  expect(lines.filter(line => line.startsWith('connection 0:'))).toHaveLength(121)
  expect(lines[120]).toBe('connection 0: further lines are not shown')
  expect(lines.length).toBeLessThan(2000)
  expect(lines.at(-1)).toMatch(/^connection \d+: further lines are not shown$/)
})
