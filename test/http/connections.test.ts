import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { boundConnections } from '../../agent/http/connections.ts'
import { ask, expectProblem, server, useServer, view } from './http-world.ts'

const BOUND = 512
/** More than the system keeps for a connection that nobody reads. */
const ANSWER = 20_000_000

useServer()

describe('connections that are not used', () => {
  let sockets: Socket[] = []

  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    sockets = []
  })

  async function open(sent = ''): Promise<Socket> {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(sent)
    return socket
  }

  const isOpen = (socket: Socket): boolean => !socket.closed && !socket.readableEnded

  it.each([
    ['send nothing', ''],
    ['never finish their headers', 'GET /status HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
    ['were answered and are kept', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['never finish a body', 'POST /backups HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx'],
  ])('of clients that %s: however many there are, health is answered at once', async (_what, sent) => {
    for (let count = 0; count < BOUND + 100; count += 1) await open(sent)
    const startedMs = performance.now()
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await ask(path)).status).toBe(200)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })

  it('go before one that waits for its answer, the oldest first', async () => {
    const answered = Promise.withResolvers<void>()
    view.validateLocation = async (location) => {
      await answered.promise
      return { location, ok: true, result: 'success', steps: [] }
    }
    const waiting = await open('GET /validate?location=nas HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const reply = text(waiting)
    const slow: Socket[] = []
    for (let count = 0; count < BOUND; count += 1) {
      slow.push(await open('GET /'))
      slow.at(-1)?.resume()
    }
    await ask('/healthz')
    await expect.poll(() => slow.filter(isOpen).length, { timeout: 10_000 }).toBeLessThan(BOUND)
    expect(slow.slice(10).every(isOpen)).toBe(true)
    answered.resolve()
    expect(await reply).toContain('200 OK')
  })

  it('are closed when their headers take more than 5 seconds', async () => {
    const socket = await open('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    const startedMs = performance.now()
    const drip = setInterval(() => socket.write('x'), 500)
    const reply = await text(socket)
    clearInterval(drip)
    expect(reply).toContain('408 Request Timeout')
    expect(reply).toContain('"title":"The request took too long"')
    expect(performance.now() - startedMs).toBeGreaterThan(4000)
  })
})

it('a connection is kept for longer than scrapes are apart', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [reply] = await once(socket, 'data')
  socket.destroy()
  expect(String(reply)).toContain('Keep-Alive: timeout=120\r\n')
})

describe('what is no request', () => {
  async function send(bytes: string): Promise<string> {
    const socket = connect(server.port, '127.0.0.1')
    socket.write(bytes)
    return await text(socket)
  }

  it.each([
    ['nonsense', 'swordfish\r\n\r\n', '400 Bad Request', 'The request could not be read'],
    ['TLS', '\x16\x03\x01\x02\x00\x01', '400 Bad Request', 'The request could not be read'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
      'The headers are too large',
    ],
  ])('%s: a problem, and the end of the connection', async (_what, bytes, status, title) => {
    const reply = await send(bytes)
    expect(reply).toContain(`HTTP/1.1 ${status}\r\n`)
    expect(reply).toContain('Content-Type: application/problem+json')
    const [, body = ''] = reply.split('\r\n\r\n')
    expect(JSON.parse(body)).toMatchObject({ type: 'about:blank', title })
    expectProblem(await ask('/nowhere'), 404, 'Nothing here')
  })
})

describe('an answer', () => {
  const TAKE_MS = 3000
  let big: HttpServer
  let port: number

  beforeEach(async () => {
    big = createServer()
    boundConnections(big, { most: 8, takeMs: TAKE_MS })
    big.on('request', (_request, response) => response.end('x'.repeat(ANSWER)))
    big.listen(0, '127.0.0.1')
    await once(big, 'listening')
    const address = big.address()
    port = typeof address === 'object' ? (address?.port ?? 0) : 0
  })

  afterEach(() => {
    big.closeAllConnections()
    big.close()
  })

  it('that nobody takes is given up', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(big, 'connection')
    await expect.poll(() => connections(big), { timeout: 15_000 }).toBe(0)
  })

  it('that is taken slowly is given to the end', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    const startedMs = performance.now()
    let taken = 0
    for await (const chunk of socket) {
      taken += chunk.length
      await sleep(15)
    }
    expect(taken).toBeGreaterThan(ANSWER)
    expect(performance.now() - startedMs).toBeGreaterThan(TAKE_MS)
  })
})

function connections(server: HttpServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })
}
