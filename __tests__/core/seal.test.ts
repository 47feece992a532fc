import { createHmac } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { deriveStateKeys, keyedName, openSealed, sealText } from '../../src/core/seal.js'

const keys = deriveStateKeys('correct horse battery staple')
const otherKeys = deriveStateKeys('correct horse battery stable')

describe('the keys', () => {
  test('are those of HKDF-SHA256, RFC 5869', () => {
    const hmac = (key: string | Uint8Array, ...parts: readonly (string | Uint8Array)[]) => {
      const digest = createHmac('sha256', key)
      for (const part of parts) digest.update(part)
      return digest.digest()
    }
    const extracted = hmac('resumable-sftp-upload', 'correct horse battery staple')
    const expand = (info: string) => hmac(extracted, info, new Uint8Array([1]))
    expect(keys.seal.export()).toEqual(expand('seal of .upload.meta, version 1'))
    expect(keys.name.export()).toEqual(expand('names in .upload.meta, version 1'))
  })

  test('differ by purpose and by secret, and by nothing else', () => {
    const all = [keys.seal, keys.name, otherKeys.seal, otherKeys.name]
    expect(new Set(all.map(key => key.export().toString('hex'))).size).toBe(4)
    const again = deriveStateKeys('correct horse battery staple')
    expect([again.seal.equals(keys.seal), again.name.equals(keys.name)]).toEqual([true, true])
  })
})

describe('a keyed name', () => {
  test('is 32 hexadecimal digits, always the same for the same parts', () => {
    expect(keyedName(keys, 'example.com', '22')).toMatch(/^[0-9a-f]{32}$/)
    expect(keyedName(keys, 'example.com', '22')).toBe(keyedName(keys, 'example.com', '22'))
  })

  test('is another one with another key', () => {
    expect(keyedName(keys, 'example.com')).not.toBe(keyedName(otherKeys, 'example.com'))
  })

  test('has nothing to do with the key of the seal', () => {
    expect(keyedName({ ...keys, seal: otherKeys.seal }, 'a')).toBe(keyedName(keys, 'a'))
  })

  test.each([
    [
      ['ab', 'c'],
      ['a', 'bc']
    ],
    [['ab'], ['a', 'b']],
    [['a', ''], ['a']],
    [[''], []],
    [['a","b'], ['a', 'b']],
    [
      ['a', 'b'],
      ['b', 'a']
    ]
  ])('tells the parts %j from %j', (some, others) => {
    expect(keyedName(keys, ...some)).not.toBe(keyedName(keys, ...others))
  })
})

describe('a sealed text', () => {
  const payload = fc.string({ unit: 'binary', maxLength: 60 })
  const madeElsewhere = new Error('its seal was not made with this login')

  test('is one that earlier versions wrote and open', () => {
    const digest = createHmac('sha256', keys.seal).update('1\n{"closed":true}').digest('base64')
    expect(sealText(keys, '{"closed":true}')).toBe(
      JSON.stringify({ version: 1, seal: digest, payload: '{"closed":true}' })
    )
  })

  test('opens with the key that sealed it', () => {
    fc.assert(
      fc.property(payload, text => {
        expect(openSealed(keys, sealText(keys, text))).toBe(text)
      })
    )
  })

  test('does not open with the key of another secret', () => {
    fc.assert(
      fc.property(payload, fc.string(), (text, secret) => {
        fc.pre(secret !== 'correct horse battery staple')
        expect(() => openSealed(deriveStateKeys(secret), sealText(keys, text))).toThrow(madeElsewhere)
      })
    )
  })

  test('does not open with the key for names', () => {
    const swapped = { seal: keys.name, name: keys.seal }
    expect(() => openSealed(swapped, sealText(keys, 'payload'))).toThrow(madeElsewhere)
  })

  test('does not open once any one of its characters is another', () => {
    const sealed = sealText(keys, '{"closed":true,"targets":{}}')
    for (let at = 0; at < sealed.length; at++) {
      const flipped = String.fromCharCode(sealed.charCodeAt(at) ^ 1)
      const changed = sealed.slice(0, at) + flipped + sealed.slice(at + 1)
      expect(() => openSealed(keys, changed)).toThrow()
    }
  })

  test.each([
    { what: 'shorter', change: (seal: string) => seal.slice(0, -1) },
    { what: 'longer', change: (seal: string) => `${seal}A` },
    { what: 'empty', change: () => '' },
    { what: 'without its padding', change: (seal: string) => seal.replace(/=+$/, '') },
    { what: 'of characters that take more bytes', change: (seal: string) => `é${seal.slice(1)}` }
  ])('does not open with a seal that is $what', ({ change }) => {
    const { version, seal, payload: text } = JSON.parse(sealText(keys, 'payload')) as Record<string, string>
    expect(() =>
      openSealed(keys, JSON.stringify({ version, seal: change(seal ?? ''), payload: text }))
    ).toThrow(madeElsewhere)
  })

  test('of another version is told apart from a broken one', () => {
    const { seal } = JSON.parse(sealText(keys, 'payload')) as { seal: string }
    expect(() => openSealed(keys, JSON.stringify({ version: 2, seal, payload: 'payload' }))).toThrow(
      /version 2/
    )
  })

  test.each([
    { name: 'null', text: 'null' },
    { name: 'a number', text: '1' },
    { name: 'a text', text: '"sealed"' },
    { name: 'a list', text: '[]' },
    { name: 'no seal', text: '{"version":1,"payload":"a"}' },
    { name: 'no payload', text: '{"version":1,"seal":"a"}' },
    { name: 'no version', text: '{"seal":"a","payload":"a"}' },
    { name: 'a version in quotes', text: '{"version":"1","seal":"a","payload":"a"}' },
    { name: 'a seal that is a number', text: '{"version":1,"seal":1,"payload":"a"}' },
    { name: 'a payload that is an object', text: '{"version":1,"seal":"a","payload":{}}' }
  ])('is no envelope when there is $name', ({ text }) => {
    expect(() => openSealed(keys, text)).toThrow(
      new Error('it is not an envelope with version, seal and payload')
    )
  })

  test.each([
    { name: 'nothing', text: '' },
    { name: 'half of one', text: sealText(keys, 'payload').slice(0, 40) },
    { name: 'HTML of a proxy', text: '<html><body>502</body></html>' }
  ])('is no JSON when there is $name', ({ text }) => {
    expect(() => openSealed(keys, text)).toThrow(new Error('it is not JSON'))
  })
})
