import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { silentLogger } from '../../agent/core/log.ts'
import type { RunOrder } from '../../agent/runs/request.ts'
import type { RunPoolOptions } from '../../agent/runs/run-pool.ts'
import { RunPool } from '../../agent/runs/run-pool.ts'
import { testConfig, testPolicy } from './test-config.ts'

const CHILD = fileURLToPath(new URL('fixtures/child.mjs', import.meta.url))
const config = testConfig()

let events: RunEvent[]
let pool: RunPool

function createPool(changes: Partial<RunPoolOptions> = {}): RunPool {
  return new RunPool({
    command: [process.execPath, CHILD, 'success'],
    env: process.env,
    graceMs: 5000,
    clock: systemClock,
    logger: silentLogger,
    emit: (event) => events.push(event),
    ...changes,
  })
}

beforeEach(() => {
  events = []
  pool = createPool()
})
afterEach(() => drain())

const drain = (waitMs = 0, hurry = new AbortController().signal) => pool.drain({ waitMs, hurry })

const backup = (policy: string): RunOrder => ({ kind: 'backup', policy, config })
const validate = (location: string): RunOrder => ({ kind: 'validate', location, permission: 'readwrite', config })

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5)
}

function states(): string[] {
  return pool.active().map((run) => `${run.policy ?? run.location ?? run.kind} ${run.state}`)
}

describe('the pool of runs', () => {
  it('runs a process, hands on its events, and remembers how it ended', async () => {
    const own: RunEvent[] = []
    const run = pool.submit(backup('failed'), (event) => own.push(event))
    expect(await run.done).toMatchObject({ result: 'failed', finished: true })
    expect(events.map((event) => [event.type, event.runId])).toEqual([
      ['run.started', run.runId],
      ['run.finished', run.runId],
    ])
    expect(own).toEqual(events)
    expect(pool.active()).toEqual([])
    expect(pool.history()).toMatchObject([
      { runId: run.runId, kind: 'backup', policy: 'failed', result: 'failed', failure: { code: 'unreachable' } },
    ])
  })

  it('makes one backup of a policy at a time', async () => {
    const first = pool.submit(backup('until-stopped'))
    expect(pool.backupOf('until-stopped')?.runId).toBe(first.runId)
    expect(() => pool.submit(backup('until-stopped'))).toThrow('one is under way')
    first.cancel()
    await first.done
    expect(pool.backupOf('until-stopped')).toBeUndefined()
  })

  it('runs two backups at once, lets the others wait, and short runs pass them', async () => {
    const first = pool.submit(backup('until-stopped'))
    pool.submit(backup('stopped-silently'))
    const third = pool.submit(backup('success'))
    const short = pool.submit(validate('nas'))
    expect(states()).toEqual(['until-stopped running', 'stopped-silently running', 'success queued', 'nas running'])
    expect(await short.done).toMatchObject({ result: 'success' })
    expect(pool.backupOf('success')?.state).toBe('queued')
    await until(() => events.some((event) => event.runId === first.runId))
    first.cancel()
    expect(await third.done).toMatchObject({ result: 'success' })
  })

  it('cancels a run that waits without starting it', async () => {
    pool = createPool({ processes: 1 })
    pool.submit(backup('stopped-silently'))
    const waiting = pool.submit(backup('success'))
    waiting.cancel()
    waiting.cancel()
    expect(await waiting.done).toMatchObject({ result: 'cancelled', finished: true })
    expect(events.filter((event) => event.runId === waiting.runId)).toMatchObject([
      { type: 'run.finished', kind: 'backup', policy: 'success', result: 'cancelled', durationMs: 0 },
    ])
  })

  it('refuses more short runs than it can remember, and never a backup for them, or for other backups', () => {
    pool = createPool({ processes: 1 })
    pool.submit(backup('stopped-silently'))
    for (let index = 0; index < 100; index += 1) pool.submit(backup(`waiting-${index}`))
    const catalog = { kind: 'catalog', config: testConfig() } as const
    for (let index = 0; index < 65; index += 1) pool.submit(catalog)
    expect(() => pool.submit(catalog)).toThrow('64 runs wait already')
    pool.submit(backup('one-more'))
    expect(pool.backupOf('one-more')?.state).toBe('queued')
  })

  it('shows stage and progress of what goes on', async () => {
    const { runId } = pool.submit(backup('progress'))
    await until(() => events.some((event) => event.type === 'run.progress'))
    expect(pool.active()).toMatchObject([{ runId, policy: 'progress', stage: 'read', bytes: 10, totalBytes: 40 }])
  })

  it('tells the next runs of a policy which ones died, until one gets through', async () => {
    const told: string[][] = []
    const run = async (): Promise<string> => {
      const submitted = pool.submit(backup('die-then-echo'), (event) => {
        if (event.type !== 'run.warning') return
        told.push(JSON.parse(event.message).deadRuns ?? [])
      })
      await submitted.done
      return submitted.runId
    }
    const dead = [await run(), await run()]
    expect(told).toEqual([[], [dead[0]]])
    await run()
    expect(told[2]).toEqual(dead)
    await run()
    expect(told[3]).toEqual([])
  })

  it('keeps 50 backups and 50 others', async () => {
    pool = createPool({ command: ['/no/such/program'] })
    for (let index = 0; index < 60; index += 1) {
      await pool.submit(backup('nightly')).done
      await pool.submit(validate('nas')).done
    }
    const kinds = pool.history().map((run) => run.kind)
    expect(kinds.filter((kind) => kind === 'backup')).toHaveLength(50)
    expect(kinds.filter((kind) => kind === 'validate')).toHaveLength(50)
  })
})

describe('draining', () => {
  it('cancels what waits and what goes on, and takes nothing more', async () => {
    pool = createPool({ processes: 1 })
    const running = pool.submit(backup('until-stopped'))
    const waiting = pool.submit(backup('success'))
    await until(() => events.some((event) => event.runId === running.runId))
    await drain()
    expect(await running.done).toMatchObject({ result: 'cancelled', finished: true })
    expect(await waiting.done).toMatchObject({ result: 'cancelled' })
    expect(events.some((event) => event.type === 'run.started' && event.runId === waiting.runId)).toBe(false)
    expect(() => pool.submit(backup('nightly'))).toThrow('the agent is stopping')
  })

  it('kills what does not stop', async () => {
    pool = createPool({ graceMs: 100 })
    const running = pool.submit(backup('until-killed'))
    await until(() => events.some((event) => event.runId === running.runId))
    await drain()
    expect(await running.done).toMatchObject({ result: 'cancelled', finished: false })
  })
})

describe('the log of a run process', () => {
  it('becomes the log of the agent, line by line, with the run it belongs to', async () => {
    const lines: Record<string, unknown>[] = []
    const logger = pino({ level: 'info' }, { write: (text: string) => lines.push(JSON.parse(text)) })
    pool = createPool({ logger })
    const { runId, done } = pool.submit(backup('noisy'))
    await done
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 30, msg: 'read', bytes: 5, run: runId, policy: 'noisy' }),
    )
    expect(lines).toContainEqual(expect.objectContaining({ level: 40, msg: 'run process wrote', line: 'plain words' }))
  })
})

describe('one run', () => {
  it('is found while it goes on, with its progress, and after its end, with its log', async () => {
    const run = pool.submit(backup('progress'))
    await until(() => pool.active().some(({ bytes }) => bytes === 10))
    expect(pool.find(run.runId)).toMatchObject({ state: 'running', stage: 'read', bytes: 10, totalBytes: 40 })
    expect(pool.cancel(run.runId)).toBe(true)
    await run.done
    expect(pool.find(run.runId)).toMatchObject({ result: 'cancelled', logDropped: 0 })
    expect(pool.find(run.runId)?.log.map(({ message }) => message)).toEqual([
      'run started',
      'run stage',
      'run finished',
    ])
    expect(pool.cancel(run.runId)).toBe(false)
    expect(pool.find('nosuchid')).toBeUndefined()
  })

  it('keeps its warnings and what it wrote to standard error, as much as is reasonable', async () => {
    const run = pool.submit(backup('noisy'))
    await run.done
    const log = pool.find(run.runId)?.log ?? []
    expect(log).toContainEqual(expect.objectContaining({ level: 'info', message: 'read', fields: { bytes: 5 } }))
    expect(log).toContainEqual(expect.objectContaining({ level: 'warn', fields: { line: 'plain words' } }))
    expect(log).toContainEqual(expect.objectContaining({ fields: { cut: true } }))
    expect(JSON.stringify(log).length).toBeLessThan(10_000)
  })

  it('that never was, because nothing could be started, is on record', () => {
    pool.recordSkipped('nightly', new Date('2026-11-24T02:00:00Z'), 'the last one is under way')
    expect(pool.history()).toMatchObject([
      { policy: 'nightly', result: 'skipped', startedAt: '2026-11-24T02:00:00.000Z' },
    ])
    expect(pool.find(pool.history()[0]?.runId ?? '')).toMatchObject({ log: [] })
  })

  it('keeps the heap of its process below the limit of its policy', async () => {
    const limited = testPolicy({ name: 'environment', memoryLimitBytes: 200 * 2 ** 20 })
    pool.submit({ kind: 'backup', policy: 'environment', config: testConfig({ policies: [limited] }) })
    await until(() => events.some(({ type }) => type === 'run.warning'))
    expect(JSON.stringify(events)).toContain('--max-old-space-size=200')
  })
})

describe('draining with patience', () => {
  it('lets a backup end by itself', async () => {
    pool.submit(backup('soon'))
    await until(() => events.length > 0)
    await drain(60_000)
    expect(pool.history()).toMatchObject([{ policy: 'soon', result: 'success' }])
  })

  it.each(['when its time is up', 'when somebody is in a hurry'])('cancels it %s', async (when) => {
    pool.submit(backup('until-stopped'))
    await until(() => events.length > 0)
    const hurry = new AbortController()
    const drained = drain(when.includes('hurry') ? 600_000 : 50, hurry.signal)
    if (when.includes('hurry')) hurry.abort()
    await drained
    expect(pool.history()).toMatchObject([{ result: 'cancelled' }])
  })
})
