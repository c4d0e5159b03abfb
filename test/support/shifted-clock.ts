import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A clock of other processes that a test sets while they run. */
export class ShiftedClock {
  readonly #file: string

  constructor(folder: string) {
    this.#file = join(folder, 'clock-shift')
    this.set(0)
  }

  /** What makes a Node.js process, and every one it starts, go by this clock. */
  get env(): { readonly NODE_OPTIONS: string } {
    const preload = new URL('shifted-clock.mjs', import.meta.url)
    preload.searchParams.set('file', this.#file)
    return { NODE_OPTIONS: `--import=${preload.href}` }
  }

  /** By how many milliseconds the clock differs from that of this machine. */
  set(shiftMs: number): void {
    writeFileSync(this.#file, String(shiftMs))
  }

  /** Sets the clock so that it is this moment there now. */
  setTo(moment: Date): void {
    this.set(moment.getTime() - Date.now())
  }
}
