import type { ScheduleConfig } from '../config/config.ts'
import { nextDue } from './due.ts'

/** Remembers the next due time: every scrape asks for it, and to find one of a cron expression takes a while. */
export class Upcoming {
  readonly #schedule: ScheduleConfig
  #found: { readonly after: Date; readonly newest: number | undefined; readonly next: Date | undefined } | undefined

  constructor(schedule: ScheduleConfig) {
    this.#schedule = schedule
  }

  /** As `nextDue`. */
  after(after: Date, newest: Date | undefined): Date | undefined {
    const found = this.#found
    const isSame = found && found.newest === newest?.getTime() && found.after <= after
    if (isSame && (!found.next || found.next > after)) return found.next
    const next = nextDue(this.#schedule, { after, newest })
    this.#found = { after, newest: newest?.getTime(), next }
    return next
  }
}
