import type { KubernetesObject } from '../../../agent/kubernetes/object.ts'
import { valueAt } from '../../../agent/kubernetes/object.ts'

/** The pods that the workloads among these objects would have, all of them running, and those put in by hand. */
export function podsOf(objects: readonly KubernetesObject[]): KubernetesObject[] {
  const made = objects.flatMap((object) => {
    if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return []
    const replicas = Number(valueAt(object, 'spec', 'replicas') ?? 1)
    return Array.from({ length: replicas }, (_, index) => pod(object, index))
  })
  return [...made, ...objects.filter(({ kind }) => kind === 'Pod')]
}

function pod({ kind, metadata }: KubernetesObject, index: number): KubernetesObject {
  // A Deployment owns its pods through a ReplicaSet.
  const owner =
    kind === 'Deployment' ? { kind: 'ReplicaSet', name: `${metadata.name}-5d9c` } : { kind, name: metadata.name }
  const name = `${owner.name}-${index}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: metadata.namespace ?? '', ownerReferences: [{ ...owner, controller: true }] },
    status: { phase: 'Running' },
  }
}
