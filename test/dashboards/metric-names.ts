import { createMetrics } from '../../agent/metrics/metrics.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** Names of every metric that the agent serves, whether it has samples just now or not. */
export async function servedMetrics(): Promise<Set<string>> {
  const metrics = createMetrics({
    clock: new FakeClock('2026-11-24T00:00:00Z'),
    version: '1.2.3',
    schedule: {
      nextRun: () => undefined,
      expectedIntervalMs: () => 0,
      retryAt: () => undefined,
      clockJumps: () => 0,
      lastTick: () => undefined,
    },
  })
  const { text } = await metrics.render()
  return new Set([...text.matchAll(/^# HELP (\S+)/gm)].flatMap(([, name]) => (name === undefined ? [] : [name])))
}

/** Our metrics that a PromQL expression, or a file full of them, names. */
export function namedMetrics(text: string): Set<string> {
  return new Set(text.match(/\bpalette_backup_[a-z_]+/g))
}
