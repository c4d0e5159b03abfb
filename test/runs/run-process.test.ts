import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import type { RunRequest } from '../../agent/runs/request.ts'
import type { RunProcess, RunProcessOptions } from '../../agent/runs/run-process.ts'
import { startRunProcess } from '../../agent/runs/run-process.ts'
import { testConfig } from './test-config.ts'

const CHILD = fileURLToPath(new URL('fixtures/child.mjs', import.meta.url))
const request: RunRequest = { kind: 'backup', runId: 'abcdefg2', policy: 'nightly', config: testConfig() }

const PATIENT = { timeoutMs: 600_000, memoryLimitBytes: 2 ** 30, silentMs: 600_000, stallMs: 600_000 }

let events: RunEvent[]
let log: string[]
let stop: AbortController

beforeEach(() => {
  events = []
  log = []
  stop = new AbortController()
})
afterEach(() => stop.abort())

function start(behaviour: string, changes: Partial<RunProcessOptions> = {}): RunProcess {
  return startRunProcess({
    command: [process.execPath, CHILD, behaviour],
    env: process.env,
    request,
    onEvent: (event) => events.push(event),
    onLog: (line) => log.push(line),
    signal: stop.signal,
    clock: systemClock,
    graceMs: 5000,
    limits: PATIENT,
    ...changes,
  })
}

async function untilStarted(): Promise<void> {
  while (events.length === 0) await delay(5)
}

function finishes(): Extract<RunEvent, { type: 'run.finished' }>[] {
  return events.filter((event) => event.type === 'run.finished')
}

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a run process that tells how its run ended', () => {
  it.each([
    ['success', 'success'],
    ['partial', 'partial'],
    ['failed', 'failed'],
    ['refused', 'failed'],
  ])('%s', async (behaviour, result) => {
    const end = await start(behaviour).done
    expect(end).toMatchObject({ result, finished: true })
    expect(events.map((event) => event.type)).toEqual(['run.started', 'run.finished'])
    expect(log).toEqual([])
  })

  it('hands on the failure it told', async () => {
    expect((await start('failed').done).failure).toEqual({ code: 'unreachable', message: 'no answer' })
  })

  it('is killed when it lingers after its last event, and its result stands', async () => {
    const run = start('lingers', { graceMs: 100 })
    expect(await run.done).toMatchObject({ result: 'success', finished: true })
    expect(isAlive(run.pid)).toBe(false)
  })
})

describe('a run process that dies', () => {
  it.each([
    ['exit-0', 'exited with code 0'],
    ['exit-7', 'exited with code 7'],
    ['throws', 'exited with code 1'],
    ['killed', 'was ended by SIGKILL'],
  ])('%s: is a failed run that says how', async (behaviour, how) => {
    const end = await start(behaviour).done
    expect(end).toMatchObject({ result: 'failed', finished: false, failure: { code: 'internal' } })
    expect(end.failure?.message).toContain(`its process ${how}`)
    expect(finishes()).toHaveLength(1)
    expect(finishes()[0]).toMatchObject({
      runId: 'abcdefg2',
      policy: 'nightly',
      result: 'failed',
      failure: end.failure,
    })
  })

  it('could not even be started: is a failed run too', async () => {
    const end = await start('', { command: ['/no/such/program'] }).done
    expect(end).toMatchObject({ result: 'failed', finished: false })
    expect(end.failure?.message).toContain('could not be started (ENOENT)')
    expect(finishes()).toHaveLength(1)
  })

  it('leaves its last words in the log', async () => {
    await start('throws').done
    expect(log.join('\n')).toContain('Error: boom')
  })
})

describe('cancelling', () => {
  it('asks first: the process tells its end', async () => {
    const run = start('until-stopped')
    await untilStarted()
    run.cancel()
    expect(await run.done).toMatchObject({ result: 'cancelled', finished: true })
  })

  it('works through the signal as well', async () => {
    const run = start('until-stopped')
    await untilStarted()
    stop.abort()
    expect(await run.done).toMatchObject({ result: 'cancelled', finished: true })
  })

  it('ends a process that dies of the signal', async () => {
    const run = start('stopped-silently')
    await untilStarted()
    run.cancel()
    const end = await run.done
    expect(end).toMatchObject({ result: 'cancelled', finished: false, failure: { code: 'cancelled' } })
    expect(end.failure?.message).toContain('SIGTERM')
    expect(finishes()).toHaveLength(1)
  })

  it('kills after the grace period', async () => {
    const run = start('until-killed', { graceMs: 200 })
    await untilStarted()
    run.cancel()
    const end = await run.done
    expect(end).toMatchObject({ result: 'cancelled', finished: false })
    expect(end.failure?.message).toContain('SIGKILL')
    expect(log).toEqual(['no'])
    expect(isAlive(run.pid)).toBe(false)
  })

  it('before anything happened ends it too', async () => {
    stop.abort()
    expect(await start('until-stopped').done).toMatchObject({ result: 'cancelled', finished: false })
  })
})

describe('what passes between the two', () => {
  it('skips what is no event of this run, bounds what it holds, and goes on', async () => {
    const end = await start('noisy').done
    expect(end).toMatchObject({ result: 'success', finished: true })
    expect(events.map((event) => event.type)).toEqual(['run.started', 'run.finished'])
    const complaints = log.filter((line) => line.startsWith('the run process wrote'))
    expect(complaints).toEqual([
      'the run process wrote a line that is no event to standard output',
      'the run process wrote a line that is no event to standard output',
      'the run process wrote an event of another run to standard output',
      'the run process wrote a line that is no event to standard output',
      'the run process wrote an event after the end of its run to standard output',
    ])
    const [json, words, long] = log.filter((line) => !complaints.includes(line))
    expect(json).toContain('"msg":"read"')
    expect(words).toBe('plain words')
    expect(long).toBe('y'.repeat(65_536))
  })

  it('gives secrets to standard input and nowhere else', async () => {
    await start('environment').done
    const [warning] = events.filter((event) => event.type === 'run.warning')
    expect(warning?.message).toContain('child.mjs')
    expect(warning?.message).not.toContain('swordfish')
    events = []
    await start('echo').done
    expect(events.find((event) => event.type === 'run.warning')?.message).toContain('swordfish')
  })

  it('keeps standard input open until the agent dies', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'run-process-'))
    try {
      const mark = join(folder, 'closed')
      const { spawn } = await import('node:child_process')
      const agent = spawn(process.execPath, [join(CHILD, '../parent.mjs'), CHILD, mark], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(agent.stdout, 'data')
      expect(existsSync(mark)).toBe(false)
      agent.kill('SIGKILL')
      while (!existsSync(mark)) await delay(10)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('a run process that is over a limit', () => {
  it.each([
    ['time', 'until-stopped', { timeoutMs: 300 }, 'limit', 'took longer than'],
    ['memory', 'until-stopped', { memoryLimitBytes: 2 ** 20 }, 'out_of_memory', 'of at most 1.0 MiB of memory'],
    ['silence', 'until-stopped', { silentMs: 300 }, 'limit', 'no sign of life'],
    ['a stall', 'beats', { stallMs: 300, silentMs: 200_000 }, 'limit', 'nothing moved'],
    ['time, and does not listen', 'until-killed', { timeoutMs: 300 }, 'limit', 'took longer than'],
  ])('%s: failed, whatever it says itself, and is gone', async (_, behaviour, limits, code, why) => {
    const run = start(behaviour, { limits: { ...PATIENT, ...limits }, graceMs: 300 })
    expect(await run.done).toMatchObject({ result: 'failed', failure: { code } })
    expect(finishes()).toMatchObject([{ result: 'failed', failure: { code } }])
    expect(finishes()[0]?.failure?.message).toContain(why)
    expect(isAlive(run.pid)).toBe(false)
  })

  it('a stopped process (SIGSTOP) is silent, and is ended', async () => {
    const run = start('until-stopped', { limits: { ...PATIENT, silentMs: 1500 }, graceMs: 300 })
    await untilStarted()
    process.kill(run.pid ?? 0, 'SIGSTOP')
    expect(await run.done).toMatchObject({ result: 'failed', failure: { code: 'limit' } })
    expect(isAlive(run.pid)).toBe(false)
  })

  it('is not, while it moves something', async () => {
    const run = start('moves', { limits: { ...PATIENT, stallMs: 400 } })
    expect(await run.done).toMatchObject({ result: 'success' })
  })

  it('that was cancelled before stays cancelled', async () => {
    const run = start('until-stopped', { limits: { ...PATIENT, timeoutMs: 1200 } })
    await untilStarted()
    run.cancel()
    expect(await run.done).toMatchObject({ result: 'cancelled' })
  })
})

describe('the memory of a run process', () => {
  it('is told at its end, and is offered to the kernel before that of the agent', async () => {
    const run = start('until-stopped')
    await untilStarted()
    expect(readFileSync(`/proc/${run.pid}/oom_score_adj`, 'utf8').trim()).toBe('500')
    run.cancel()
    expect((await run.done).peakMemoryBytes).toBeGreaterThan(2 ** 24)
    expect(finishes()[0]?.peakMemoryBytes).toBeGreaterThan(2 ** 24)
  })

  it('is told of one that was killed, and that it was not for want of memory', async () => {
    const run = start('until-stopped')
    await untilStarted()
    process.kill(run.pid ?? 0, 'SIGKILL')
    const end = await run.done
    expect(end).toMatchObject({ result: 'failed', finished: false, failure: { code: 'internal' } })
    expect(end.failure?.hint).toContain('did not end it for want of memory')
    expect(end.peakMemoryBytes).toBeGreaterThan(2 ** 24)
  })

  it('is why it failed when the heap of V8 was full', async () => {
    const end = await start('fills-its-heap', {
      command: [process.execPath, '--max-old-space-size=16', CHILD, 'fills-its-heap'],
    }).done
    expect(end).toMatchObject({ result: 'failed', finished: false, failure: { code: 'out_of_memory' } })
    expect(end.failure?.message).toContain('the heap of V8 was full')
  })
})
