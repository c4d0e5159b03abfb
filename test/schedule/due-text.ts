import type { ScheduleConfig } from '../../agent/config/config.ts'

/** `every 3 at 2,14` or a cron expression. */
export function schedule(text: string): ScheduleConfig {
  const match = /^every (\d+) at ([\d,]+)$/.exec(text)
  if (!match) return { kind: 'cron', expression: text }
  return { kind: 'interval', intervalDays: Number(match[1]), hoursOfDay: (match[2] ?? '').split(',').map(Number) }
}

/** `2026-11-24 02:00` or `2026-11-24 02:00:00.001`, UTC. */
export function utc(text: string): Date {
  return new Date(`${text.replace(' ', 'T')}Z`)
}

/** As `utc` takes it, without the seconds where there are none; `never` where there is no time. */
export function iso(time: Date | undefined): string {
  return time ? time.toISOString().replace('T', ' ').replace(':00.000Z', '') : 'never'
}

/** An empty text is no time. */
export function optional(text: string): Date | undefined {
  return text === '' ? undefined : utc(text)
}
