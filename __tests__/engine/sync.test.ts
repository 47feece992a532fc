import { expect, test } from '@jest/globals'
import { VERIFY_MODES, type VerifyMode } from '../../src/core/identity.js'
import { bytesOf } from '../support/memory-bytes.js'
import { MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const cases = VERIFY_MODES.flatMap(verify =>
  [1000, 3 * MIB].map((size): [number, VerifyMode] => [size, verify])
)

test.each(cases)(
  'a file of %i bytes is on the disk of the server before its rename in mode full alone (%s)',
  async (size, verify) => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    expect(resultOf(await world.run({ verify }), 'app.zip').status).toBe('uploaded')
    const last = world.server.log.map(({ operation }) => operation).filter(isAboutTheEnd)
    expect(last).toEqual(verify === 'full' ? ['write', 'sync', 'replace'] : ['write', 'replace'])
  }
)

/** Of several writes, the last. */
function isAboutTheEnd(operation: string, index: number, all: readonly string[]): boolean {
  if (operation === 'write') return all.lastIndexOf('write') === index
  return ['sync', 'replace'].includes(operation)
}
