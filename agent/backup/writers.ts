import { z } from 'zod'

/** One workload that writes into Palette's MongoDB, as it was before a restore stopped it. */
export const Writer = z.strictObject({
  /** `Deployment`, `StatefulSet`, `CronJob`, ... */
  kind: z.string().min(1),
  namespace: z.string().min(1),
  name: z.string().min(1),
  /** How many it ran; of what is suspended and not scaled, 1. */
  replicas: z.int().nonnegative(),
})
export type Writer = Readonly<z.infer<typeof Writer>>

export interface WriterOptions {
  readonly signal: AbortSignal
  /** A sentence for the operator about what takes its time. */
  readonly onProgress?: (text: string) => void
}

/**
 * Whatever writes into the database that is restored. What `find` gives is put on record before the first one is
 * stopped, so that another process can start them again after a crash: `stop` and `start` must do no harm when they are
 * called again, or by a process that did not call `find`.
 */
export interface Writers {
  /** What runs and must not while the database is replaced; nothing is changed. */
  find(options: WriterOptions): Promise<readonly Writer[]>
  /** Resolves when nothing of them runs any more. */
  stop(writers: readonly Writer[], options: WriterOptions): Promise<void>
  /** Gives them their replicas back and resolves when they are ready. */
  start(writers: readonly Writer[], options: WriterOptions): Promise<void>
}

/** For where no Kubernetes can be reached: nothing is stopped, and that is said each time. */
export function unmanagedWriters(warn: (text: string) => void): Writers {
  return {
    async find() {
      warn(
        'NOTHING IS STOPPED: this program does not reach the cluster of the target. Whatever Palette writes into it ' +
          'during the restore is mixed into the restored data. Scale its workloads (not MongoDB) to 0 first.',
      )
      return []
    },
    stop: () => Promise.resolve(),
    start: () => Promise.resolve(),
  }
}
