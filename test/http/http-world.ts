import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { silentLogger } from '../../agent/core/log.ts'
import type { AgentView, BackupList, ReloadReport, Status } from '../../agent/http/agent-view.ts'
import { createApp } from '../../agent/http/app.ts'
import type { HttpServer } from '../../agent/http/server.ts'
import { startServer } from '../../agent/http/server.ts'
import type { RunDetail } from '../../agent/runs/run-pool.ts'

export const AT = '2026-11-24T00:00:00.000Z'
export const RUNS = { active: [], recent: [] }
export const RUN: RunDetail = {
  runId: 'endedrun',
  kind: 'backup',
  policy: 'nightly',
  startedAt: AT,
  finishedAt: AT,
  result: 'success',
  log: [{ at: AT, level: 'info', message: 'run finished', fields: { result: 'success' } }],
  logDropped: 0,
}
export const BACKUPS: BackupList = {
  backups: [{ backupId: 'b', policy: 'nightly', location: 'nas', startedAt: AT, complete: true }],
  catalogs: [{ policy: 'nightly', location: 'nas', readAt: AT, up: true }],
}
export const applied: ReloadReport = { at: AT, outcome: 'applied', diagnostics: [] }
export const STATUS: Status = {
  version: '1',
  startedAt: AT,
  configuration: { file: '/etc/x.yaml', digest: 'aa', appliedAt: AT, lastReload: applied },
  policies: [],
  installation: null,
  unfinishedRestores: [],
  locations: [],
  runs: RUNS,
}
export const step = { name: 'write', ok: true, durationMs: 3 }

export let calls: unknown[][]
export let view: AgentView
export let server: HttpServer
export let base: string
export let folder: string

/** A server and the view it serves, new for each test of the file that calls it. */
export function useServer(): void {
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
}

async function listen(tokenFile?: string, logger = silentLogger): Promise<void> {
  server = await startServer(createApp(view, { tokenFile, logger }), {
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
  })
  askFrom(server.port)
}

/** Whom `ask` asks from now on. */
export function askFrom(port: number): void {
  base = `http://127.0.0.1:${port}`
}

export async function relisten(tokenFile?: string, logger = silentLogger): Promise<void> {
  await server.close()
  await listen(tokenFile, logger)
}

export async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`${base}${path}`, init)
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    type,
    text,
    headers: response.headers,
    json: type.includes('json') && text !== '' ? JSON.parse(text) : {},
  }
}

export function expectProblem(answer: Awaited<ReturnType<typeof ask>>, status: number, title: string): void {
  expect(answer.type).toContain('application/problem+json')
  expect(answer.json).toMatchObject({ type: 'about:blank', status, title })
  expect(answer.status).toBe(status)
}
