import { pino } from 'pino'
import { beforeEach, expect, it } from 'vitest'
import { logEvents } from '../../agent/commands/agent-log.ts'
import { RepeatLimit } from '../../agent/commands/repeat-limit.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { HOUR_MS, MINUTE_MS } from '../../agent/core/units.ts'
import { FakeClock } from '../support/fake-clock.ts'

let clock: FakeClock
let lines: Record<string, unknown>[]
let tell: (event: RunEvent) => void

beforeEach(() => {
  clock = new FakeClock('2026-11-24T00:00:00Z')
  lines = []
  tell = logEvents(pino({}, { write: (line: string) => lines.push(JSON.parse(line)) }), new RepeatLimit(clock))
})

const failed = (location: string, message = 'no route to host'): RunEvent => {
  return { type: 'catalog.failed', runId: 'c1', location, failure: { code: 'unreachable', message } }
}
const read = (location: string): RunEvent => {
  return { type: 'catalog.read', runId: 'c1', policy: 'nightly', location, backups: [] }
}
const told = () => lines.map(({ location, error }) => `${location}: ${error}`)

it('a location that stays down is told once an hour, each for itself', async () => {
  for (let count = 0; count < 8; count += 1) {
    tell(failed('nas'))
    if (count === 0) tell(failed('offsite'))
    await clock.advance(15 * MINUTE_MS)
  }
  expect(told()).toEqual(['nas: no route to host', 'offsite: no route to host', 'nas: no route to host'])
  expect(lines[0]).toMatchObject({ msg: 'catalog could not be read', code: 'unreachable' })
})

it('another trouble is told at once, and so is the same after all was well', () => {
  tell(failed('nas'))
  tell(failed('nas', 'access denied'))
  tell(read('offsite'))
  tell(failed('nas', 'access denied'))
  tell(read('nas'))
  tell(failed('nas', 'access denied'))
  expect(told()).toEqual(['nas: no route to host', 'nas: access denied', 'nas: access denied'])
})

it('a clock that is set moves the hour not at all', async () => {
  tell(failed('nas'))
  clock.jump(-HOUR_MS)
  await clock.advance(HOUR_MS)
  tell(failed('nas'))
  clock.jump(24 * HOUR_MS)
  tell(failed('nas'))
  expect(told()).toHaveLength(2)
})

it('what goes well every 15 minutes is not told', () => {
  const finished = { type: 'run.finished', runId: 'c1', kind: 'catalog', at: '2026-11-24T00:00:00Z' } as const
  tell({ type: 'run.started', runId: 'c1', kind: 'catalog', at: '2026-11-24T00:00:00Z' })
  tell(read('nas'))
  tell({ ...finished, result: 'success', durationMs: 1 })
  tell({ type: 'location.swept', runId: 'r1', location: 'nas', objects: 0, failures: 0 })
  expect(lines.filter(({ level }) => Number(level) >= 30)).toEqual([])
})
