import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../agent/core/log.ts'
import { createApp } from '../../agent/http/app.ts'
import { ask, askFrom, base, calls, expectProblem, folder, relisten, useServer, view } from './http-world.ts'

useServer()

const GUARDED = [
  ['GET', '/'],
  ['GET', '/status'],
  ['GET', '/runs'],
  ['GET', '/runs/endedrun'],
  ['DELETE', '/runs/abcdefg2'],
  ['GET', '/backups'],
  ['POST', '/backups?policy=nightly'],
  ['GET', '/validate?location=nas'],
  ['POST', '/validate?location=nas'],
  ['POST', '/plan'],
  ['POST', '/-/reload'],
  ['GET', '/nowhere'],
] as const

describe('with a token file', () => {
  let tokenFile: string

  beforeEach(async () => {
    tokenFile = join(folder, 'token')
    await writeFile(tokenFile, 'first\n')
    await relisten(tokenFile)
  })

  const withToken = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  it.each(GUARDED)('%s %s needs the token', async (method, path) => {
    const answer = await ask(path, { method })
    expectProblem(answer, 401, 'A bearer token is needed')
    expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    expectProblem(await ask(path, { method, ...withToken('other') }), 401, 'A bearer token is needed')
    expectProblem(await ask(path, { method, headers: { authorization: 'first' } }), 401, 'A bearer token is needed')
    expect(calls).toEqual([])
    expect((await ask(path, { method, ...withToken('first') })).status).not.toBe(401)
  })

  it('takes it as a password for the page of the console alone', async () => {
    const basic = (password: string) => ({
      headers: { accept: 'text/html', authorization: `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}` },
    })
    expect((await ask('/', basic('first'))).status).toBe(200)
    const refused = await ask('/', basic('other'))
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('Basic')
    const status = await ask('/status', basic('first'))
    expect(status.status).toBe(401)
    expect(status.headers.get('www-authenticate')).not.toContain('Basic')
    expect((await ask('/-/reload', { method: 'POST', ...basic('first') })).status).toBe(401)
  })

  it('lets nobody guess for long, and hinders nobody who knows it', async () => {
    const statuses: number[] = []
    for (let tries = 0; tries < 121; tries += 1) statuses.push((await ask('/status', withToken('wrong'))).status)
    expect(statuses.slice(0, 120).every((status) => status === 401)).toBe(true)
    expect(statuses.at(-1)).toBe(429)
    expect((await ask('/metrics')).status).toBe(200)
    await relisten(tokenFile)
    for (let asked = 0; asked < 200; asked += 1) {
      expect((await ask('/status', withToken('first'))).status).toBe(200)
    }
  })

  it('does not need it for probes and Prometheus', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await ask(path)).status).toBe(200)
  })

  it('takes a new token as soon as it is written', async () => {
    await writeFile(tokenFile, 'second')
    expect((await ask('/status', withToken('first'))).status).toBe(401)
    expect((await ask('/status', withToken('second'))).status).toBe(200)
  })

  it.each(['empty', 'missing'])('lets nobody in while the file is %s, and logs why', async (state) => {
    const lines: string[] = []
    const logger = pino({}, { write: (line: string) => lines.push(line) })
    await relisten(tokenFile, logger)
    await (state === 'empty' ? writeFile(tokenFile, '\n') : rm(tokenFile))
    expectProblem(await ask('/status', { headers: { authorization: 'Bearer ' } }), 503, 'No token to compare with')
    expectProblem(await ask('/status', withToken('first')), 503, 'No token to compare with')
    expect(lines).toEqual([expect.stringContaining('token file cannot be used')])
  })
})

describe('a token file that cannot be used when the agent starts', () => {
  it.each([
    ['missing', undefined, 'cannot be read (ENOENT)'],
    ['empty', '\n', 'is empty'],
  ])('is told at once where it is %s, and is no reason to end', async (_state, content, trouble) => {
    const tokenFile = join(folder, 'token')
    if (content !== undefined) await writeFile(tokenFile, content)
    const lines: unknown[] = []
    await relisten(tokenFile, pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) }))
    await vi.waitFor(() => expect(lines).toHaveLength(1))
    expect(lines[0]).toMatchObject({
      level: 50,
      msg: 'token file cannot be used',
      tokenFile,
      trouble,
      meanwhile: expect.stringContaining('may come or be filled later'),
    })
    await writeFile(tokenFile, 'late')
    expect((await ask('/status', { headers: { authorization: 'Bearer late' } })).status).toBe(200)
    expect(JSON.stringify(lines)).not.toContain('late"')
    expect(lines).toHaveLength(1)
  })

  it('of one that can be used nothing is told', async () => {
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, 'swordfish')
    const lines: string[] = []
    await relisten(tokenFile, pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }))
    expect((await ask('/status', { headers: { authorization: 'Bearer swordfish' } })).status).toBe(200)
    expect(lines).toEqual([])
  })
})

describe('without a token file', () => {
  it.each(GUARDED)('%s %s is refused to another machine', async (method, path) => {
    const foreign = createServer(createApp(view, { logger: silentLogger }))
    foreign.on('connection', (socket) => Object.defineProperty(socket, 'remoteAddress', { value: '::ffff:10.1.2.3' }))
    foreign.listen(0, '127.0.0.1')
    await once(foreign, 'listening')
    const address = foreign.address()
    askFrom(typeof address === 'object' ? (address?.port ?? 0) : 0)
    try {
      const answer = await ask(path, { method })
      expectProblem(answer, 403, 'Only from this machine')
      expect(answer.json.detail).toContain('--token-file')
      expect((await ask('/metrics')).status).toBe(200)
      expect(calls).toEqual([])
    } finally {
      foreign.closeAllConnections()
      foreign.close()
    }
  })

  it('is refused to web pages of other sites', async () => {
    const headers = { origin: 'http://evil.example' }
    expectProblem(await ask('/-/reload', { method: 'POST', headers }), 403, 'Not from another site')
    expect((await ask('/status', { headers: { origin: base } })).status).toBe(200)
  })

  it('is refused under a foreign name that leads to this machine', async () => {
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${base}/status`, { headers: { host: 'evil.example' } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(403)
  })
})
