import { Counter, Gauge, type Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [Labels, number]

export interface Declaration {
  /** Without the prefix. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** All samples there are now: what is missing here is gone from the next scrape. */
  readonly read: () => Iterable<Sample>
}

export const PREFIX = 'palette_backup_'

export function declareGauge(registry: Registry, { name, help, labels = [], read }: Declaration): void {
  new Gauge({
    name: `${PREFIX}${name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset()
      for (const [sampleLabels, value] of read()) this.set(sampleLabels, value)
    },
  })
}

/** The values are totals since the start of the agent. */
export function declareCounter(registry: Registry, { name, help, labels = [], read }: Declaration): void {
  new Counter({
    name: `${PREFIX}${name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset()
      for (const [sampleLabels, value] of read()) this.inc(sampleLabels, value)
    },
  })
}

/** Seconds since 1970-01-01 UTC; 0 for a time that is not known. */
export function toSeconds(time: Date | undefined): number {
  return time ? time.getTime() / 1000 : 0
}
