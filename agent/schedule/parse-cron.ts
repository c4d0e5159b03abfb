import { Cron } from 'croner'

/** What the parser would take besides, a date (a schedule that comes once) and nicknames, is none of five fields. */
export const FIVE_FIELDS = /^\s*[^\s@]\S*(\s+\S+){4}\s*$/

/** Five fields, in UTC. Throws for anything else, and says what is wrong with it. */
export function parseCron(expression: string): Cron {
  if (!FIVE_FIELDS.test(expression)) throw new TypeError('a cron expression has five parts')
  return new Cron(expression, { timezone: 'UTC', mode: '5-part', paused: true })
}
