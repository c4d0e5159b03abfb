import type { KubernetesConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { throwIfAborted } from '../../core/errors.ts'
import type { KubernetesClient } from '../../kubernetes/client.ts'
import type { Inspection, KubernetesFacts, ReadOptions, Source } from '../source.ts'
import { KindCounts, readObjects } from './archive.ts'
import { Gaps } from './collect.ts'
import { ObjectsArtifact } from './objects-artifact.ts'
import type { Step } from './selection.ts'
import { allSteps, criticalSteps, PALETTE_NAMESPACES } from './selection.ts'

export interface KubernetesSourceOptions {
  readonly client: KubernetesClient
  /** That of Palette. */
  readonly namespace: string
  readonly kubernetes: KubernetesConfig
  /** All objects of these namespaces, too; `default`: those of Palette's chart. Absent: only what a restore needs. */
  readonly namespaces?: readonly string[] | 'default'
  readonly clock: Clock
}

/** Reads and proves what a kubernetes source wrote; needs no cluster. */
export const kubernetesFormat: Pick<Source, 'name' | 'inspect'> = { name: 'kubernetes', inspect: inspectObjects }

/** Palette's objects in the API server, as a tar of JSON: the same objects are the same bytes. */
export function createKubernetesSource(options: KubernetesSourceOptions): Source<KubernetesFacts> {
  return {
    name: 'kubernetes',
    async *read(readOptions) {
      const gaps = new Gaps()
      const steps = await chooseSteps(options, gaps, readOptions)
      const serverVersion = (await options.client.serverVersion(readOptions)) ?? 'unknown'
      yield new ObjectsArtifact({ ...options, steps, gaps, serverVersion }, readOptions)
    },
    inspect: inspectObjects,
  }
}

async function chooseSteps(
  { client, namespace, kubernetes, namespaces }: KubernetesSourceOptions,
  gaps: Gaps,
  { signal }: ReadOptions,
): Promise<Step[]> {
  const critical = criticalSteps(namespace, kubernetes)
  if (namespaces === undefined) return critical
  const { resources, unread } = await client.namespacedResources({ signal })
  for (const failure of unread) gaps.missing.push({ what: 'part of the Kubernetes API', reason: failure.message })
  const chosen = namespaces === 'default' ? [namespace, ...PALETTE_NAMESPACES] : namespaces
  return allSteps(critical, [...new Set(chosen)], resources)
}

async function inspectObjects(
  body: AsyncIterable<Uint8Array>,
  { signal, onProgress }: ReadOptions,
): Promise<Inspection> {
  const counts = new KindCounts()
  let bytes = 0
  let documents = 0
  async function* counted() {
    for await (const chunk of body) {
      throwIfAborted(signal, 'reading the archive of Kubernetes objects')
      bytes += chunk.length
      yield chunk
    }
  }
  for await (const { object } of readObjects(counted())) {
    counts.add(object)
    documents += 1
    onProgress?.({ bytes, documents })
  }
  return { source: 'kubernetes', objects: counts.toRecord() }
}
