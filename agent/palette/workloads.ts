import type { KubernetesObject, Resource } from '../kubernetes/object.ts'
import { DEPLOYMENTS, STATEFUL_SETS, textAt, valueAt } from '../kubernetes/object.ts'

const CRON_JOBS: Resource = { group: 'batch', version: 'v1', plural: 'cronjobs', kind: 'CronJob' }

/** What can be stopped, by its kind. */
export const STOPPABLE: Readonly<Record<string, Resource>> = {
  CronJob: CRON_JOBS,
  Deployment: DEPLOYMENTS,
  StatefulSet: STATEFUL_SETS,
}

/** On a workload that a restore has stopped: how many replicas it had. Goes when it has them back. */
export const REPLICAS_ANNOTATION = 'palette-backup/replicas-before-restore'

/** How many pods a workload has by its specification; 1 for a CronJob that is not suspended. */
export function replicasOf(object: KubernetesObject): number {
  if (object.kind === 'CronJob') return valueAt(object, 'spec', 'suspend') === true ? 0 : 1
  return Number(valueAt(object, 'spec', 'replicas') ?? 1)
}

/** As a restore that did not come to its end has left it. */
export function rememberedReplicas({ metadata }: KubernetesObject): number | undefined {
  const text = metadata.annotations?.[REPLICAS_ANNOTATION]
  const replicas = text === undefined ? Number.NaN : Number(text)
  return Number.isInteger(replicas) && replicas >= 0 ? replicas : undefined
}

/** One change that stops a workload and remembers what it had: there is no moment with only half of it. */
export function stopping(kind: string, replicas: number): object {
  const metadata = { annotations: { [REPLICAS_ANNOTATION]: String(replicas) } }
  return { metadata, spec: kind === 'CronJob' ? { suspend: true } : { replicas: 0 } }
}

export function starting(kind: string, replicas: number): object {
  const metadata = { annotations: { [REPLICAS_ANNOTATION]: null } }
  return { metadata, spec: kind === 'CronJob' ? { suspend: replicas === 0 } : { replicas } }
}

/** Whether all replicas of the newest specification are ready. */
export function isReady(object: KubernetesObject, replicas: number): boolean {
  if (object.kind === 'CronJob') return true
  const observed = Number(valueAt(object, 'status', 'observedGeneration') ?? 0)
  const generation = Number(valueAt(object, 'metadata', 'generation') ?? 0)
  return observed >= generation && Number(valueAt(object, 'status', 'readyReplicas') ?? 0) >= replicas
}

/**
 * The workload a pod is of, as `kind/name`: a Deployment owns its pods through a ReplicaSet whose name is its own and a
 * hash, a CronJob through a Job whose name is its own and a number. Undefined for a pod that has ended, or has no owner.
 */
export function workloadOf(pod: KubernetesObject): string | undefined {
  const phase = textAt(pod, 'status', 'phase')
  if (phase === 'Succeeded' || phase === 'Failed') return undefined
  const owner = valueAt(pod, 'metadata', 'ownerReferences', 0)
  const kind = textAt(owner, 'kind')
  const name = textAt(owner, 'name')
  if (kind === undefined || name === undefined) return undefined
  const parent = name.slice(0, name.lastIndexOf('-'))
  if (kind === 'ReplicaSet') return `Deployment/${parent}`
  return kind === 'Job' ? `CronJob/${parent}` : `${kind}/${name}`
}
