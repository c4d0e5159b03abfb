import { pino } from 'pino'
import { expect, it } from 'vitest'
import { RestoresState } from '../../agent/commands/restores-state.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { parseEventLine } from '../../agent/runs/event-line.ts'

const restore = { target: 'mongo:27017', backupId: '20261124T020000Z-aaaaaa', stage: 'restoring' }
const begun = { ...restore, startedAt: '2026-11-24T03:00:00.000Z' }

it('knows what every location has on record, logs it once, and forgets it when it is finished', () => {
  const lines: Record<string, unknown>[] = []
  const state = new RestoresState(pino({}, { write: (line: string) => lines.push(JSON.parse(line)) }))
  const read = (location: string, unfinished: readonly (typeof begun)[]): void => {
    const event: RunEvent = { type: 'restores.read', runId: 'r', location, unfinished }
    const parsed = parseEventLine(JSON.stringify(event))
    expect(parsed).toEqual(event)
    if (parsed) state.onEvent(parsed)
  }
  read('nas', [begun])
  read('nas', [begun])
  read('offsite', [])
  expect(state.unfinished).toEqual([{ location: 'nas', ...begun }])
  expect(lines).toMatchObject([{ msg: 'a restore is not finished', location: 'nas', target: 'mongo:27017' }])
  read('nas', [])
  expect(state.unfinished).toEqual([])
})
