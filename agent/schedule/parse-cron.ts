import { Cron } from 'croner'

/** Five fields, in UTC. Throws for anything else, and says what is wrong with it. */
export function parseCron(expression: string): Cron {
  return new Cron(expression, { timezone: 'UTC', mode: '5-part', paused: true })
}
