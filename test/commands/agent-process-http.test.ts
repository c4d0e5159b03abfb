import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HOUR_MS } from '../../agent/core/units.ts'
import { testPolicy } from '../runs/test-config.ts'
import {
  ask,
  BAD,
  catalogRead,
  clock,
  config,
  folder,
  location,
  logged,
  nightly,
  reloadFinds,
  sample,
  slow,
  start,
  store,
  until,
  useAgent,
} from './agent-world.ts'

useAgent()

describe('over HTTP', () => {
  it('starts a backup, or names the one that is under way', async () => {
    await start(config([slow]))
    const first = await ask('/backups?policy=slow', 'POST')
    expect(first).toMatchObject({ status: 202, json: { state: 'running', started: true } })
    const second = await ask('/backups?policy=slow', 'POST')
    expect(second).toMatchObject({ status: 202, json: { runId: first.json.runId, started: false } })
    expect((await ask('/backups?policy=nightly', 'POST')).status).toBe(404)
  })

  it('lists what the locations hold, and when that was read', async () => {
    await store('nightly', '2026-11-23T02:00:01Z')
    await start()
    await catalogRead()
    expect((await ask('/backups?policy=nightly')).json).toMatchObject({
      backups: [{ policy: 'nightly', location: 'nas', startedAt: '2026-11-23T02:00:01.000Z', complete: true }],
      catalogs: [{ policy: 'nightly', location: 'nas', readAt: '2026-11-24T00:00:00.000Z', up: true }],
    })
    expect(await ask('/backups?location=other')).toMatchObject({
      status: 404,
      json: { title: 'There is no such backup_storage_location', location: 'other' },
    })
    expect(await ask('/backups?policy=other')).toMatchObject({
      status: 404,
      json: { title: 'There is no such backup_policy', policy: 'other' },
    })
  })

  it('lists nothing of a location that the policy does not use', async () => {
    await start(config([nightly], { locations: [location('nas'), location('unused')] }))
    expect(await ask('/backups?policy=nightly&location=unused')).toEqual({
      status: 200,
      json: { backups: [], catalogs: [] },
    })
  })

  it('shows one run and cancels it', async () => {
    await start(config([slow]))
    const { runId } = (await ask('/backups?policy=slow', 'POST')).json
    await until(() => logged('run started').length > 0)
    expect(await ask(`/runs/${runId}`)).toMatchObject({ status: 200, json: { state: 'running', policy: 'slow' } })
    expect(await ask(`/runs/${runId}`, 'DELETE')).toMatchObject({ status: 202, json: { state: 'cancelling' } })
    await until(async () => (await ask(`/runs/${runId}`)).json.result === 'cancelled')
    expect((await ask(`/runs/${runId}`)).json.log.at(-1)).toMatchObject({ message: 'run finished' })
    expect((await ask(`/runs/${runId}`, 'DELETE')).status).toBe(409)
    expect((await ask('/runs/abcdefgh', 'DELETE')).status).toBe(404)
    expect(await sample('retry_timestamp_seconds{policy="slow"}')).toBe(0)
  })

  it('validates a location', async () => {
    await start()
    expect(await ask('/validate?location=nas')).toMatchObject({
      status: 200,
      json: { ok: true, steps: [{ name: 'write' }] },
    })
    await rm(join(folder, 'nas'), { recursive: true })
    expect(await ask('/validate?location=nas')).toMatchObject({
      status: 422,
      json: { ok: false, steps: [{ name: 'write', failure: { message: 'the folder is not there' } }] },
    })
    expect((await ask('/validate?location=other')).status).toBe(404)
  })

  it('validates a configuration without applying it', async () => {
    await start()
    expect(await ask('/validate', 'POST', 'good')).toMatchObject({
      status: 200,
      json: { ok: true, locations: [{ ok: true }], installation: { ok: true, steps: [{ name: 'find MongoDB' }] } },
    })
    expect(await ask('/validate', 'POST', 'bad')).toMatchObject({
      status: 422,
      json: { diagnostics: [BAD], locations: [] },
    })
    expect(await sample('config_reloads_total{result="refused"}')).toBe(0)
    await rm(join(folder, 'nas'), { recursive: true })
    const answer = await ask('/validate', 'POST', 'good')
    expect(answer).toMatchObject({ status: 422, json: { ok: false, locations: [{ location: 'nas', ok: false }] } })
    expect(answer.json.diagnostics).toMatchObject([
      { summary: 'Backup storage location cannot be used', path: ['resource', 'backup_storage_location', 'nas'] },
    ])
  })
})

describe('a reload', () => {
  it('applies a new configuration everywhere', async () => {
    await start()
    await catalogRead()
    await store('hourly', '2026-11-23T23:00:00Z')
    const hourly = testPolicy({
      name: 'hourly',
      backupLocations: ['nas'],
      schedule: { kind: 'cron', expression: '0 * * * *' },
    })
    reloadFinds({ config: config([hourly], { digest: 'd2' }), diagnostics: [] })
    expect(await ask('/-/reload', 'POST')).toMatchObject({ status: 200, json: { outcome: 'applied' } })
    expect(logged('configuration applied')).toMatchObject([{ digest: 'd1' }, { digest: 'd2' }])
    expect(await sample('next_run_timestamp_seconds{policy="hourly"}')).toBe(Date.UTC(2026, 10, 24, 1) / 1000)
    expect(await sample('next_run_timestamp_seconds{policy="nightly"}')).toBeNaN()
    await until(async () => (await sample('retained_backups{policy="hourly",location="nas"}')) === 1)
    await clock.advance(HOUR_MS)
    await until(() => logged('run finished').length > 0)
    expect(logged('run finished')).toMatchObject([{ policy: 'hourly', result: 'success' }])
  })

  it('refuses a configuration with errors, and the last good one goes on', async () => {
    await start()
    reloadFinds({ diagnostics: [BAD] })
    expect(await ask('/-/reload', 'POST')).toMatchObject({
      status: 422,
      json: { outcome: 'refused', diagnostics: [BAD] },
    })
    expect(logged('configuration error')).toMatchObject([{ level: 'error', summary: BAD.summary, path: 'provider.x' }])
    expect(logged('configuration refused')).toMatchObject([{ level: 'error', inForce: 'd1' }])
    expect(await sample('config_last_reload_successful')).toBe(0)
    expect(await sample('config_info{digest="d1"}')).toBe(1)
    expect((await ask('/status')).json.configuration).toMatchObject({
      digest: 'd1',
      lastReload: { outcome: 'refused' },
    })
  })

  it('refuses a location that cannot be used, unless it is not to be validated', async () => {
    await start()
    reloadFinds({
      config: config([nightly], { digest: 'd2', locations: [location('nas'), location('new')] }),
      diagnostics: [],
    })
    const answer = await ask('/-/reload', 'POST')
    expect(answer.status).toBe(422)
    expect(answer.json.diagnostics).toHaveLength(1)
    expect(answer.json.diagnostics[0]).toMatchObject({ path: ['resource', 'backup_storage_location', 'new'] })
    expect(answer.json.diagnostics[0].detail).toContain('the folder is not there')
    const unchecked = [location('nas'), location('new', { validate: false })]
    reloadFinds({ config: config([nightly], { digest: 'd3', locations: unchecked }), diagnostics: [] })
    expect(await ask('/-/reload', 'POST')).toMatchObject({ status: 200, json: { outcome: 'applied' } })
    expect(await sample('config_info{digest="d3"}')).toBe(1)
  })

  it('leaves a run in flight alone', async () => {
    await start(config([slow]))
    const { json } = await ask('/backups?policy=slow', 'POST')
    reloadFinds({ config: config([nightly], { digest: 'd2' }), diagnostics: [] })
    expect((await ask('/-/reload', 'POST')).status).toBe(200)
    expect((await ask('/runs')).json.active).toContainEqual(
      expect.objectContaining({ runId: json.runId, policy: 'slow' }),
    )
  })
})
