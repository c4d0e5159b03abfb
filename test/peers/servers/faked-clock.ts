import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { peerBinary } from './peer.ts'

const DAY_MS = 86_400_000

/**
 * The system clock of other processes, set while they run: https://github.com/wolfcw/libfaketime. Run processes do not
 * get the variables of the library from the agent, so what it reads is the file in the home folder. The monotonic clock
 * goes on as it is, as when an administrator sets the clock of a running machine.
 */
export class FakedClock {
  readonly #home: string

  constructor(folder: string) {
    this.#home = join(folder, 'home')
    mkdirSync(this.#home)
    this.set(0)
  }

  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: peerBinary('libfaketime.so.1'),
      HOME: this.#home,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  /** By how many milliseconds the clock differs from that of this machine; processes notice within a second. */
  set(shiftMs: number): void {
    const days = shiftMs / DAY_MS
    writeFileSync(join(this.#home, '.faketimerc'), `${days < 0 ? '' : '+'}${days}d\n`)
  }
}
