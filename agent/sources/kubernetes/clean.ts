import type { KubernetesObject } from '../../kubernetes/object.ts'
import { listAt, valueAt } from '../../kubernetes/object.ts'

/** What the API server or a controller writes by itself and another cluster would not take. */
const SERVER_METADATA: ReadonlySet<string> = new Set([
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
  'ownerReferences',
])

/** kubectl's copy of an object: of a Secret it would be a second one, in another form. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** What of a Secret or ConfigMap is worth keeping. */
const DATA_FIELDS = ['immutable', 'type', 'data', 'binaryData'] as const

/** Helm finds its records by their labels. */
const HELM_RECORD = 'helm.sh/release.v1'

/** An object as it is stored: nothing in it belongs to the cluster it came from, and its keys have one order. */
export function cleanObject(object: KubernetesObject): KubernetesObject {
  const { apiVersion, kind, metadata } = object
  const { name, namespace, labels } = metadata
  if (kind === 'Secret' || kind === 'ConfigMap') {
    const kept = DATA_FIELDS.filter((field) => object[field] !== undefined).map((field) => [field, object[field]])
    const own = { name, ...(namespace === undefined ? {} : { namespace }) }
    const labelled = object['type'] === HELM_RECORD && labels ? { ...own, labels } : own
    return { apiVersion, kind, metadata: labelled, ...Object.fromEntries(kept) }
  }
  const { status: _, ...rest } = object
  return { ...rest, apiVersion, kind, metadata: { ...cleanMetadata(metadata), name } }
}

function cleanMetadata(metadata: KubernetesObject['metadata']): Record<string, unknown> {
  const kept = Object.entries(metadata).filter(([key]) => !SERVER_METADATA.has(key) && key !== 'annotations')
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED)
  return {
    ...Object.fromEntries(kept),
    ...(annotations.length > 0 ? { annotations: Object.fromEntries(annotations) } : {}),
  }
}

/** Whether a controller makes the object again by itself: the pods of a Deployment, the jobs of a CronJob. */
export function isMadeAgain({ metadata }: KubernetesObject): boolean {
  return listAt(metadata, 'ownerReferences').some((owner) => valueAt(owner, 'controller') === true)
}

/** JSON with keys in order: the same object is the same bytes whoever sent it. */
export function stableJson(value: unknown): string {
  return `${JSON.stringify(sorted(value), null, 1)}\n`
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, sorted(inner)])
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
