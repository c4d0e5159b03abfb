import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { silentLogger } from '../../agent/core/log.ts'
import { createApp } from '../../agent/http/app.ts'
import { startServer } from '../../agent/http/server.ts'
import {
  AT,
  applied,
  ask,
  BACKUPS,
  base,
  calls,
  expectProblem,
  RUN,
  RUNS,
  STATUS,
  server,
  step,
  useServer,
  view,
} from './http-world.ts'

useServer()

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
    view.backups = () => ({ unknown: 'backup_storage_location' })
    const location = await ask('/backups?policy=nightly&location=zz')
    expectProblem(location, 404, 'There is no such backup_storage_location')
    expect(location.json.location).toBe('zz')
    view.backups = () => ({ unknown: 'backup_policy' })
    const policy = await ask('/backups?policy=zz')
    expectProblem(policy, 404, 'There is no such backup_policy')
    expect(policy.json.policy).toBe('zz')
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
    expectProblem(await ask('/validate'), 400, 'Which location?')
    expectProblem(await ask('/validate?location=nas&permission=own'), 400, 'No such permission')
  })

  it('a method that a route does not have is told which it has', async () => {
    const answer = await ask('/backups', { method: 'DELETE' })
    expectProblem(answer, 405, 'Not with this method')
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST')
    expect(answer.json.detail).toBe('DELETE /backups; it takes GET, HEAD, POST')
    expect(calls).toEqual([])
  })

  it('HEAD is GET without a body', async () => {
    expect(await ask('/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
    expect(await ask('/runs/unknown', { method: 'HEAD' })).toMatchObject({ status: 404, text: '' })
    expect((await ask('/status', { method: 'HEAD' })).type).toContain('application/json')
  })

  it('what has no name, and what cannot be decoded', async () => {
    expectProblem(await ask('/runs/%zz'), 400, 'The request could not be read')
    const body = { method: 'POST', body: 'version' }
    expectProblem(
      await ask('/plan', { ...body, headers: { 'content-encoding': 'compress' } }),
      415,
      'The request could not be read',
    )
    expectProblem(
      await ask('/plan', { ...body, headers: { 'content-encoding': 'gzip' } }),
      400,
      'The request could not be read',
    )
    expect(calls).toEqual([])
  })

  it('at most 1 MiB is read', async () => {
    const body = 'x'.repeat(1024 * 1024)
    expect((await ask('/validate', { method: 'POST', body })).status).toBe(422)
    expectProblem(await ask('/validate', { method: 'POST', body: `${body}x` }), 413, 'The body is too large')
    const packed = gzipSync(`${body}x`)
    expect(packed.length).toBeLessThan(2000)
    const bomb = await ask('/plan', { method: 'POST', body: packed, headers: { 'content-encoding': 'gzip' } })
    expectProblem(bomb, 413, 'The body is too large')
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
