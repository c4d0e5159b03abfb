import type { Clock } from '../core/clock.ts'
import { Failure, toFailure } from '../core/errors.ts'
import { formatDuration, MINUTE_MS, SECOND_MS } from '../core/units.ts'
import type { KubernetesClient } from '../kubernetes/client.ts'
import type { KubernetesObject, ObjectRef } from '../kubernetes/object.ts'
import { valueAt } from '../kubernetes/object.ts'
import { isReady, rememberedReplicas, replicasOf, STOPPABLE, starting, stopping, workloadOf } from './workloads.ts'

/** One workload that writes into Palette's MongoDB, as it was before it was stopped. */
export interface Writer {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly replicas: number
}

export interface WriterOptions {
  readonly signal: AbortSignal
  /** A sentence for the operator about what takes its time. */
  readonly onProgress?: (text: string) => void
}

export interface WritersSettings {
  readonly client: KubernetesClient
  readonly namespace: string
  /** Name of the StatefulSet of MongoDB, which goes on. */
  readonly mongodb: string
  readonly clock: Clock
}

const LOOK_AGAIN_MS = 2 * SECOND_MS
/** A pod may take its grace period, and an image may have to be pulled. */
const STOPPED_WITHIN_MS = 5 * MINUTE_MS
const READY_WITHIN_MS = 15 * MINUTE_MS

/**
 * Every workload of Palette's namespace but MongoDB: Deployments, StatefulSets and CronJobs. What each had is written
 * on it in the same change that stops it, so that it can be started again by whoever finds it.
 */
export class KubernetesWriters {
  readonly #settings: WritersSettings

  constructor(settings: WritersSettings) {
    this.#settings = settings
  }

  /** What runs, and what a restore that broke off has left stopped. */
  async find({ signal }: WriterOptions): Promise<readonly Writer[]> {
    const { client, namespace, mongodb } = this.#settings
    const found: Writer[] = []
    for (const [kind, resource] of Object.entries(STOPPABLE)) {
      for await (const object of client.list(resource, namespace, { signal })) {
        if (isMongodb(object, mongodb) || isOwn(object)) continue
        const { name } = object.metadata
        const replicas = rememberedReplicas(object) ?? replicasOf(object)
        if (replicas > 0) found.push({ kind, namespace, name, replicas })
      }
    }
    return found
  }

  /** Lets the API server try to stop them: a right that is missing is to be known before anything has been done. */
  async tryToStop(writers: readonly Writer[], { signal }: WriterOptions): Promise<void> {
    const { client } = this.#settings
    for await (const _ of this.#pods(signal)) break
    for (const writer of writers) {
      await client.patch(refOf(writer), stopping(writer.kind, writer.replicas), { signal, dryRun: true })
    }
  }

  /** Resolves when no pod of them is left. */
  async stop(writers: readonly Writer[], options: WriterOptions): Promise<void> {
    const { client } = this.#settings
    for (const writer of writers) {
      const ref = refOf(writer)
      const now = await client.get(ref, options)
      // What is remembered already is the truth: the replicas are 0 by now.
      const replicas = rememberedReplicas(now) ?? writer.replicas
      if (replicasOf(now) > 0 || rememberedReplicas(now) === undefined) {
        await client.patch(ref, stopping(writer.kind, replicas), options)
      }
    }
    const stopped = new Set(writers.map(({ kind, name }) => `${kind}/${name}`))
    await this.#until('stopping', STOPPED_WITHIN_MS, options, async () => {
      const left: string[] = []
      for await (const pod of this.#pods(options.signal)) {
        if (stopped.has(workloadOf(pod) ?? '')) left.push(pod.metadata.name)
      }
      return left
    })
  }

  /** Gives them back what they had and resolves when they are ready. */
  async start(writers: readonly Writer[], options: WriterOptions): Promise<void> {
    const { client } = this.#settings
    const gone: string[] = []
    for (const writer of writers) {
      const ref = refOf(writer)
      const now = await client.find(ref, options)
      if (!now) gone.push(`${writer.kind} ${writer.name}`)
      // Somebody has scaled it meanwhile: that is not to be undone.
      else if (rememberedReplicas(now) !== undefined || replicasOf(now) === 0) {
        await client.patch(ref, starting(writer.kind, writer.replicas), options)
      }
    }
    if (gone.length > 0) options.onProgress?.(`${gone.join(', ')} no longer exist: there is nothing to start`)
    await this.#until('starting', READY_WITHIN_MS, options, async () => {
      const waiting: string[] = []
      for (const writer of writers) {
        const now = await client.find(refOf(writer), options)
        if (now && !isReady(now, writer.replicas)) waiting.push(`${writer.name} ${progressOf(now, writer)}`)
      }
      return waiting
    })
  }

  #pods(signal: AbortSignal): AsyncIterable<KubernetesObject> {
    const pods = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
    return this.#settings.client.list(pods, this.#settings.namespace, { signal })
  }

  /** Looks again and again until nothing is left to wait for; says what it waits for whenever that changes. */
  async #until(
    doing: 'stopping' | 'starting',
    withinMs: number,
    { signal, onProgress }: WriterOptions,
    look: () => Promise<string[]>,
  ): Promise<void> {
    const { clock, namespace } = this.#settings
    const begunMs = clock.monotonicMs()
    let told = ''
    for (;;) {
      const left = await look()
      if (left.length === 0) return
      const names = left.slice(0, 8).join(', ') + (left.length > 8 ? ` and ${left.length - 8} more` : '')
      if (names !== told) onProgress?.(`${doing} Palette: waiting for ${names}`)
      told = names
      if (clock.monotonicMs() - begunMs > withinMs) throw tooLong(doing, namespace, names, withinMs)
      try {
        await clock.sleep(LOOK_AGAIN_MS, { signal })
      } catch (thrown) {
        throw toFailure(thrown, `${doing} the workloads of ${namespace}`)
      }
    }
  }
}

/** By its name, and by its labels where it has another one: the database must never be stopped. */
function isMongodb({ kind, metadata: { name, labels } }: KubernetesObject, mongodb: string): boolean {
  return kind === 'StatefulSet' && (name === mongodb || labels?.['role'] === 'mongo')
}

/** This program lives in the same namespace, perhaps; it must not stop itself. */
function isOwn({ metadata: { labels } }: KubernetesObject): boolean {
  return labels?.['app.kubernetes.io/name'] === 'palette-backup'
}

function tooLong(doing: 'stopping' | 'starting', namespace: string, names: string, withinMs: number): Failure {
  const hints = {
    stopping: 'A pod that does not end may still write. End it, then restore again; nothing has been restored yet.',
    starting: 'The data is restored. Look at the events of these pods: kubectl describe pod.',
  }
  return new Failure(`${doing} the workloads of ${namespace}: after ${formatDuration(withinMs)} still ${names}`, {
    code: 'unavailable',
    hint: hints[doing],
  })
}

function progressOf(object: KubernetesObject, { replicas }: Writer): string {
  return `(${Number(valueAt(object, 'status', 'readyReplicas') ?? 0)} of ${replicas} ready)`
}

function refOf({ kind, namespace, name }: Writer): ObjectRef {
  const resource = STOPPABLE[kind]
  if (!resource) throw new Failure(`${kind} ${namespace}/${name} is nothing that can be stopped`, { code: 'internal' })
  return { resource, namespace, name }
}
