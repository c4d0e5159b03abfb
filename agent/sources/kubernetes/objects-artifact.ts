import type { Clock } from '../../core/clock.ts'
import type { KubernetesClient } from '../../kubernetes/client.ts'
import { readHelmRelease } from '../../kubernetes/helm-release.ts'
import type { KubernetesObject } from '../../kubernetes/object.ts'
import type { KubernetesFacts, ReadOptions, SourceArtifact, Unread } from '../source.ts'
import { HELM_VALUES, INDEX, type Index, KindCounts, objectPath, sha256 } from './archive.ts'
import { cleanObject, stableJson } from './clean.ts'
import type { Gaps } from './collect.ts'
import { collectStep } from './collect.ts'
import type { Step } from './selection.ts'
import { TAR_END, tarFile } from './tar.ts'

export interface ObjectsArtifactOptions {
  readonly client: KubernetesClient
  readonly namespace: string
  readonly clock: Clock
  readonly steps: readonly Step[]
  readonly gaps: Gaps
  readonly serverVersion: string
}

/** Objects step by step, one file each, and the index at the end. */
export class ObjectsArtifact implements SourceArtifact<KubernetesFacts> {
  readonly name = 'kubernetes.tar'
  readonly body: AsyncIterable<Uint8Array>
  readonly #options: ObjectsArtifactOptions
  readonly #readOptions: ReadOptions
  readonly #written: Index['objects'] = []
  readonly #counts = new KindCounts()
  #span: { readonly from: Date; readonly to: Date } | undefined

  constructor(options: ObjectsArtifactOptions, readOptions: ReadOptions) {
    this.#options = options
    this.#readOptions = readOptions
    this.body = this.#read()
  }

  facts(): KubernetesFacts {
    if (!this.#span) throw new Error('facts asked for before the archive had ended')
    const { serverVersion, steps, gaps } = this.#options
    return {
      source: 'kubernetes',
      serverVersion,
      from: this.#span.from.toISOString(),
      to: this.#span.to.toISOString(),
      namespaces: [...new Set(steps.map(({ namespace }) => namespace))],
      objects: this.#counts.toRecord(),
      unread: gaps.missing,
    }
  }

  warnings(): readonly string[] {
    const { missing, unread } = this.#options.gaps
    return [...missing.map(({ what, reason }) => `${what} is not in the backup: ${reason}`), ...summarize(unread)]
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const { client, namespace, clock, steps, gaps } = this.#options
    const { signal, onProgress } = this.#readOptions
    const from = clock.now()
    let bytes = 0
    for (const step of steps) {
      for await (const object of collectStep(step, gaps, { client, namespace, signal })) {
        const cleaned = cleanObject(object)
        const file = this.#file(objectPath(step.namespace, step.resource, object.metadata.name), cleaned)
        this.#counts.add(cleaned)
        bytes += file.length
        yield file
        onProgress?.({ bytes, documents: this.#written.length })
        yield* this.#helmValues(step, object)
      }
    }
    const { missing, absent, unread } = gaps
    const index: Index = { format_version: 1, objects: this.#written, missing, absent, unread }
    yield tarFile({ path: INDEX, content: Buffer.from(stableJson(index)) })
    yield TAR_END
    this.#span = { from, to: clock.now() }
  }

  #file(path: string, value: unknown): Buffer {
    const content = Buffer.from(stableJson(value))
    this.#written.push({ path, sha256: sha256(content) })
    return tarFile({ path, content })
  }

  /** What `helm get values` prints: who installs Palette again needs it, and must not have to unpack a record. */
  async *#helmValues(step: Step, object: KubernetesObject): AsyncGenerator<Uint8Array> {
    const isCurrent = object.metadata.labels?.['status'] === 'deployed'
    if (object['type'] !== 'helm.sh/release.v1' || !isCurrent) return
    const release = await readHelmRelease(object).catch(() => undefined)
    if (!release) {
      this.#options.gaps.unread.push({ what: `values in ${object.metadata.name}`, reason: 'it is no release record' })
      return
    }
    const { name, chart, chartVersion, revision, values } = release
    const path = `${HELM_VALUES}${step.namespace}/${name}.values.json`
    yield this.#file(path, { name, chart, chartVersion, revision, values })
  }
}

/** Namespaces that an installation does not have answer as those that may not be read: one sentence for all. */
function summarize(unread: readonly Unread[]): string[] {
  const [first, ...others] = unread
  if (!first) return []
  const names = [first, ...others].map(({ what }) => what).join(', ')
  return [`${names} may exist or not, it could not be looked at: ${first.reason}`]
}
