import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type AddressInfo, type LookupFunction, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { openSocket } from '../../../src/adapters/sftp/open-socket.js'

const hasIPv6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1')
)
const closing: (Server | Socket)[] = []

afterEach(() => {
  closeAll()
})

function closeAll(): void {
  for (const opened of closing.splice(0)) {
    if ('destroy' in opened) opened.destroy()
    else opened.close()
  }
}

async function listenOn(address: string): Promise<number> {
  const server = createServer()
  closing.push(server)
  server.listen(0, address)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

interface Handle {
  setNoDelay(on: boolean): unknown
}

function handleOf(socket: Socket): Handle {
  return (socket as unknown as { _handle: Handle })._handle
}

function handlePrototypeOf(socket: Socket): Handle {
  return Object.getPrototypeOf(handleOf(socket)) as Handle
}

/** A name with these addresses, in this order. */
function named(...addresses: string[]): LookupFunction {
  return (_name, _options, done) =>
    done(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    )
}

async function reach(port: number, lookup: LookupFunction): Promise<string | undefined> {
  const socket = openSocket('example.com', port, lookup)
  closing.push(socket)
  await once(socket, 'connect')
  return socket.remoteAddress
}

test('small requests do not wait for the acknowledgement of the one before, whichever address answers', async () => {
  const port = await listenOn('127.0.0.1')
  // What Node asks the system for; it has no way to look at it afterwards.
  const first = openSocket('127.0.0.1', port)
  closing.push(first)
  await once(first, 'connect')
  const setNoDelay = jest.spyOn(handlePrototypeOf(first), 'setNoDelay')
  for (const lookup of [named('127.0.0.1'), named('127.0.0.2', '127.0.0.1')]) {
    setNoDelay.mockClear()
    const socket = openSocket('example.com', port, lookup)
    closing.push(socket)
    await once(socket, 'connect')
    expect(setNoDelay.mock.calls).toEqual([[true]])
    expect(setNoDelay.mock.contexts).toEqual([handleOf(socket)])
  }
  setNoDelay.mockRestore()
})

test('what is written in one turn of the event loop is held back until its end, once it is connected, too', async () => {
  const port = await listenOn('127.0.0.1')
  const socket = openSocket('127.0.0.1', port)
  closing.push(socket)
  await once(socket, 'connect')
  socket.write('a')
  expect(socket.writableCorked).toBe(1)
})

describe('a name with several addresses', () => {
  test('is reached by the second where the first refuses', async () => {
    const port = await listenOn('127.0.0.1')
    expect(await reach(port, named('::1', '127.0.0.1'))).toBe('127.0.0.1')
  })

  const testIPv6 = hasIPv6 ? test : test.skip
  testIPv6('is reached by IPv6 where IPv4 refuses', async () => {
    const port = await listenOn('::1')
    expect(await reach(port, named('127.0.0.1', '::1'))).toBe('::1')
  })

  test('is not reached where all refuse, and each is named', async () => {
    const port = await listenOn('127.0.0.1')
    closeAll()
    const socket = openSocket('example.com', port, named('127.0.0.1', '127.0.0.2'))
    const [error] = (await once(socket, 'error').catch((thrown: unknown) => [thrown])) as [AggregateError]
    expect(error.errors).toHaveLength(2)
  })
})
