import { Timestamp } from 'mongodb'

// An idle primary writes a no-op every ten seconds, so its time never stands still for longer.
// MongoDB manual, Replica Set Oplog, `periodicNoopIntervalSecs`.
const NOOP_INTERVAL_SECONDS = 10n

/** An instant of a replica set as one number: seconds in the upper 32 bits, ordinal in the lower. */
export type ClusterTime = bigint

/** The logical clock of the replica set: every write gets an instant of its own. */
export class ClusterClock {
  #last: ClusterTime

  constructor() {
    this.#last = (secondsNow() << 32n) | 1n
  }

  /** The instant of a new write. */
  tick(): ClusterTime {
    const now = (secondsNow() << 32n) | 1n
    this.#last = now > this.#last ? now : this.#last + 1n
    return this.#last
  }

  /** The instant of the last write or no-op: what a reader may see. */
  current(): ClusterTime {
    if (secondsNow() - (this.#last >> 32n) >= NOOP_INTERVAL_SECONDS) this.tick()
    return this.#last
  }
}

export function secondsNow(): bigint {
  return BigInt(Math.floor(Date.now() / 1000))
}

export function toTimestamp(time: ClusterTime): Timestamp {
  return new Timestamp({ t: Number(time >> 32n), i: Number(time & 0xffffffffn) })
}

export function fromTimestamp(timestamp: Timestamp): ClusterTime {
  return (BigInt(timestamp.t) << 32n) | BigInt(timestamp.i)
}
