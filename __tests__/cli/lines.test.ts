import { expect, test } from '@jest/globals'
import { plainLines } from '../../src/cli/lines.js'

test('a warning and an error say so, and the name of a group stands before its first line alone', () => {
  const lines: string[] = []
  const output = plainLines(line => lines.push(line))
  output.startGroup('Planning')
  output.endGroup()
  output.info('between')
  output.startGroup('Uploading')
  output.warning('careful')
  output.info('sent')
  output.endGroup()
  output.error('broken')
  expect(lines).toEqual(['between', 'Uploading', 'warning: careful', 'sent', 'error: broken'])
})
