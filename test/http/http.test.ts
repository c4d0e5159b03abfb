import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { silentLogger } from '../../agent/core/log.ts'
import type { AgentView, BackupList, ReloadReport, Status } from '../../agent/http/agent-view.ts'
import { createApp } from '../../agent/http/app.ts'
import type { HttpServer } from '../../agent/http/server.ts'
import { startServer } from '../../agent/http/server.ts'
import type { RunDetail } from '../../agent/runs/run-pool.ts'

const AT = '2026-11-24T00:00:00.000Z'
const RUNS = { active: [], recent: [] }
const RUN: RunDetail = {
  runId: 'endedrun',
  kind: 'backup',
  policy: 'nightly',
  startedAt: AT,
  finishedAt: AT,
  result: 'success',
  log: [{ at: AT, level: 'info', message: 'run finished', fields: { result: 'success' } }],
  logDropped: 0,
}
const BACKUPS: BackupList = {
  backups: [{ backupId: 'b', policy: 'nightly', location: 'nas', startedAt: AT, complete: true }],
  catalogs: [{ policy: 'nightly', location: 'nas', readAt: AT, up: true }],
}
const applied: ReloadReport = { at: AT, outcome: 'applied', diagnostics: [] }
const STATUS: Status = {
  version: '1',
  startedAt: AT,
  configuration: { file: '/etc/x.yaml', digest: 'aa', appliedAt: AT, lastReload: applied },
  policies: [],
  installation: null,
  unfinishedRestores: [],
  locations: [],
  runs: RUNS,
}
const step = { name: 'write', ok: true, durationMs: 3 }

let calls: unknown[][]
let view: AgentView
let server: HttpServer
let base: string
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http-'))
  calls = []
  view = {
    isAlive: () => true,
    whyNotReady: () => undefined,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    status: () => STATUS,
    runs: () => RUNS,
    run: (runId) => (runId === RUN.runId ? RUN : undefined),
    cancelRun: (runId) => {
      calls.push(['cancel', runId])
      return runId === 'abcdefg2' ? 'cancelling' : runId === RUN.runId ? 'ended' : undefined
    },
    backups: (filter) => {
      calls.push(['backups', filter])
      return BACKUPS
    },
    startBackup: (policy) => {
      calls.push(['backup', policy])
      return policy === 'nightly' ? { runId: 'abcdefg2', state: 'running', started: true } : undefined
    },
    validateLocation: async (location, permission) => {
      calls.push(['location', location, permission])
      if (location === 'none') return undefined
      const ok = location === 'nas'
      return { location, ok, result: ok ? 'success' : 'failed', steps: [{ ...step, ok }] }
    },
    validateText: async (text, permission) => {
      calls.push(['text', text.length, permission])
      const ok = text.startsWith('version')
      const diagnostics = ok ? [] : [{ severity: 'error' as const, summary: 'Bad', detail: 'very' }]
      return { ok, diagnostics, locations: [] }
    },
    plan: async (text) => {
      calls.push(['plan', text.length])
      if (!text.startsWith('version'))
        return { ok: false, diagnostics: [{ severity: 'error', summary: 'Bad', detail: 'very' }] }
      return { ok: true, diagnostics: [], plan: { from: 'd1', to: 'd2', changes: [] }, text: 'No changes.\n' }
    },
    reload: async () => applied,
  }
  await listen()
})

afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function listen(tokenFile?: string): Promise<void> {
  server = await startServer(createApp(view, { tokenFile, logger: silentLogger }), {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  })
  base = `http://127.0.0.1:${server.port}`
}

async function relisten(tokenFile?: string): Promise<void> {
  await server.close()
  await listen(tokenFile)
}

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`${base}${path}`, init)
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    type,
    text,
    headers: response.headers,
    json: type.includes('json') ? JSON.parse(text) : {},
  }
}

function expectProblem(answer: Awaited<ReturnType<typeof ask>>, status: number, title: string): void {
  expect(answer.type).toContain('application/problem+json')
  expect(answer.json).toMatchObject({ type: 'about:blank', status, title })
  expect(answer.status).toBe(status)
}

describe('health', () => {
  it('answers probes and Prometheus', async () => {
    expect(await ask('/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
    expect(await ask('/readyz')).toMatchObject({ status: 200, text: 'ok\n' })
    expect(await ask('/metrics')).toMatchObject({ status: 200, text: 'up 1\n' })
    expect((await ask('/metrics')).type).toContain('version=0.0.4')
  })

  it('says what is wrong', async () => {
    view.isAlive = () => false
    view.whyNotReady = () => 'stopping'
    expectProblem(await ask('/healthz'), 503, 'The scheduler does not tick')
    const answer = await ask('/readyz')
    expectProblem(answer, 503, 'Not ready')
    expect(answer.json.detail).toBe('stopping')
  })
})

describe('what the agent tells and does', () => {
  it('status, runs and a list of endpoints', async () => {
    expect((await ask('/status')).json).toEqual(STATUS)
    expect((await ask('/runs')).json).toEqual(RUNS)
    expect((await ask('/')).text).toContain('POST      /-/reload')
  })

  it('starts a backup', async () => {
    const answer = await ask('/backups?policy=nightly', { method: 'POST' })
    expect(answer).toMatchObject({ status: 202, json: { runId: 'abcdefg2', state: 'running', started: true } })
    expectProblem(await ask('/backups?policy=other', { method: 'POST' }), 404, 'There is no such backup_policy')
    expectProblem(await ask('/backups', { method: 'POST' }), 400, 'Which policy?')
    expectProblem(await ask('/backups?policy=a&policy=b', { method: 'POST' }), 400, 'Which policy?')
    expect(calls).toEqual([
      ['backup', 'nightly'],
      ['backup', 'other'],
    ])
  })

  it('lists backups', async () => {
    expect((await ask('/backups')).json).toEqual(BACKUPS)
    await ask('/backups?policy=nightly&location=nas')
    expect(calls).toEqual([
      ['backups', {}],
      ['backups', { policy: 'nightly', location: 'nas' }],
    ])
  })

  it('one run, and cancels it', async () => {
    expect((await ask('/runs/endedrun')).json).toEqual(RUN)
    expectProblem(await ask('/runs/unknown'), 404, 'There is no such run')
    const cancel = (runId: string) => ask(`/runs/${runId}`, { method: 'DELETE' })
    expect(await cancel('abcdefg2')).toMatchObject({ status: 202, json: { runId: 'abcdefg2', state: 'cancelling' } })
    expectProblem(await cancel('endedrun'), 409, 'The run has ended already')
    expectProblem(await cancel('unknown'), 404, 'There is no such run')
  })

  it('a page for browsers that runs nothing and shows what it is told as text', async () => {
    view.status = () => ({
      ...STATUS,
      locations: [{ name: '<script>alert(1)</script>', up: false, lastError: null }],
    })
    const page = await ask('/', { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } })
    expect(page.type).toContain('text/html')
    expect(page.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page.text).not.toContain('<script')
    expect(page.text).not.toMatch(/<(form|button|a|input|img)\b/)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await ask('/')).type).toContain('text/plain')
  })

  it('reloads', async () => {
    expect(await ask('/-/reload', { method: 'POST' })).toMatchObject({ status: 200, json: applied })
    const diagnostics = [{ severity: 'error' as const, summary: 'Bad', detail: 'very' }]
    view.reload = async () => ({ at: AT, outcome: 'refused', diagnostics })
    const answer = await ask('/-/reload', { method: 'POST' })
    expectProblem(answer, 422, 'The configuration was refused')
    expect(answer.json.diagnostics).toEqual(diagnostics)
  })

  it.each([
    ['GET', '', 'readwrite'],
    ['POST', '', 'readwrite'],
    ['GET', '&permission=read', 'read'],
    ['POST', '&permission=write', 'write'],
  ])('%s /validate of a location%s', async (method, query, permission) => {
    const good = await ask(`/validate?location=nas${query}`, { method })
    expect(good).toMatchObject({ status: 200, json: { location: 'nas', ok: true, steps: [step] } })
    const bad = await ask(`/validate?location=offsite${query}`, { method })
    expectProblem(bad, 422, 'The location cannot be used')
    expect(bad.json).toMatchObject({ location: 'offsite', ok: false, steps: [{ name: 'write', ok: false }] })
    expectProblem(
      await ask(`/validate?location=none${query}`, { method }),
      404,
      'There is no such backup_storage_location',
    )
    expect(calls).toEqual(['nas', 'offsite', 'none'].map((name) => ['location', name, permission]))
  })

  it('plans a configuration that is sent', async () => {
    const answer = await ask('/plan', { method: 'POST', body: 'version: 1\n' })
    expect(answer).toMatchObject({ status: 200, json: { ok: true, plan: { to: 'd2' }, text: 'No changes.\n' } })
    const bad = await ask('/plan', { method: 'POST', body: 'x' })
    expectProblem(bad, 422, 'The configuration is invalid')
    expect(bad.json.diagnostics).toHaveLength(1)
    expectProblem(await ask('/plan', { method: 'POST' }), 400, 'Which configuration?')
    expect(calls).toEqual([
      ['plan', 11],
      ['plan', 1],
    ])
  })

  it('validates a configuration that is sent', async () => {
    const answer = await ask('/validate?permission=read', { method: 'POST', body: 'version: 1\n' })
    expect(answer).toMatchObject({ status: 200, json: { ok: true } })
    expect(calls).toEqual([['text', 11, 'read']])
    const bad = await ask('/validate', {
      method: 'POST',
      body: 'nonsense',
      headers: { 'content-type': 'application/yaml' },
    })
    expectProblem(bad, 422, 'The configuration cannot be used')
    expect(bad.json.diagnostics).toHaveLength(1)
  })

  it('ends a validation that nobody waits for', async () => {
    const aborted = Promise.withResolvers<void>()
    view.validateLocation = (_location, _permission, signal) => {
      signal.addEventListener('abort', () => aborted.resolve())
      gone.abort()
      return new Promise(() => undefined)
    }
    const gone = new AbortController()
    await expect(fetch(`${base}/validate?location=nas`, { signal: gone.signal })).rejects.toThrow('aborted')
    await aborted.promise
  })
})

describe('mistakes', () => {
  it('are problems', async () => {
    expectProblem(await ask('/nowhere'), 404, 'Nothing here')
    expectProblem(await ask('/backups', { method: 'DELETE' }), 404, 'Nothing here')
    expectProblem(await ask('/validate'), 400, 'Which location?')
    expectProblem(await ask('/validate?location=nas&permission=own'), 400, 'No such permission')
  })

  it('at most 1 MiB is read', async () => {
    const body = 'x'.repeat(1024 * 1024)
    expect((await ask('/validate', { method: 'POST', body })).status).toBe(422)
    expectProblem(await ask('/validate', { method: 'POST', body: `${body}x` }), 413, 'The body is too large')
  })

  it('says of a Failure what it says, and of a defect nothing', async () => {
    view.startBackup = () => {
      throw new Failure('starting: the agent is stopping', { code: 'unavailable', hint: 'Wait.' })
    }
    const answer = await ask('/backups?policy=nightly', { method: 'POST' })
    expectProblem(answer, 503, 'Not available now')
    expect(answer.json).toMatchObject({ detail: 'starting: the agent is stopping', hint: 'Wait.', code: 'unavailable' })
    view.status = () => {
      throw new TypeError('swordfish')
    }
    const defect = await ask('/status')
    expectProblem(defect, 500, 'The request failed')
    expect(defect.text).not.toContain('swordfish')
  })

  it('reveals nothing about what serves', async () => {
    expect((await ask('/status')).headers.get('x-powered-by')).toBeNull()
  })
})

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
    await server.close()
    server = await startServer(createApp(view, { tokenFile, logger }), {
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
    })
    base = `http://127.0.0.1:${server.port}`
    await (state === 'empty' ? writeFile(tokenFile, '\n') : rm(tokenFile))
    expectProblem(await ask('/status', { headers: { authorization: 'Bearer ' } }), 503, 'No token to compare with')
    expectProblem(await ask('/status', withToken('first')), 503, 'No token to compare with')
    expect(lines).toEqual([expect.stringContaining('token file cannot be used')])
  })
})

describe('without a token file', () => {
  it.each(GUARDED)('%s %s is refused to another machine', async (method, path) => {
    const foreign = createServer(createApp(view, { logger: silentLogger }))
    foreign.on('connection', (socket) => Object.defineProperty(socket, 'remoteAddress', { value: '::ffff:10.1.2.3' }))
    foreign.listen(0, '127.0.0.1')
    await once(foreign, 'listening')
    const address = foreign.address()
    base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
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

describe('the server', () => {
  it('says where it cannot listen', async () => {
    const taken = startServer(createApp(view, { logger: silentLogger }), {
      host: '127.0.0.1',
      port: server.port,
      clock: systemClock,
    })
    await expect(taken).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('EADDRINUSE') })
  })
})
