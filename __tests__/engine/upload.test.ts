import { describe, expect, test } from '@jest/globals'
import { VERIFY_MODES } from '../../src/core/identity.js'
import { bytesOf } from '../support/memory-bytes.js'
import { decisionsOf, MemoryWorld, resultOf } from '../support/memory-world.js'

const MIB = 1024 * 1024
const SIZES = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 9 * MIB + 5]

describe.each(VERIFY_MODES)('verify: %s', verify => {
  test.each(SIZES)('uploads a file of %i bytes', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    const outcome = await world.run({ verify, connections: 2 })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded', sentBytes: size, reusedBytes: 0 })
    expect(world.isInPlace('app.zip')).toBe(true)
    expect(world.server.names('site')).toEqual(['app.zip'])
  })
  test.each(SIZES)('continues a cut file of %i bytes', async size => {
    const world = new MemoryWorld()
    world.put('app.zip', bytesOf(1, size))
    world.server.faults.push({ on: 'write', afterBytes: Math.max(0, size / 2), then: 'cut' })
    const outcome = await world.run({ verify, connections: 2 })
    expect(resultOf(outcome, 'app.zip')).toMatchObject({ status: 'uploaded' })
    expect(decisionsOf(outcome)).toEqual([])
  })
})
