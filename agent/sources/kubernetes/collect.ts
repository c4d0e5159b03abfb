import { Failure, sentenceOf, toFailure } from '../../core/errors.ts'
import type { KubernetesClient } from '../../kubernetes/client.ts'
import type { KubernetesObject } from '../../kubernetes/object.ts'
import { describeRef, resourceName } from '../../kubernetes/object.ts'
import type { Unread } from '../source.ts'
import { isMadeAgain } from './clean.ts'
import type { Step } from './selection.ts'
import { isNeverSaved } from './selection.ts'

/** What was looked for and is not in the archive. */
export class Gaps {
  /** Should be there: the backup is partial. */
  readonly missing: Unread[] = []
  /** May be there or not. */
  readonly absent: string[] = []
  /** May be there, and could not be read. */
  readonly unread: Unread[] = []
}

export interface CollectOptions {
  readonly client: KubernetesClient
  /** That of Palette. */
  readonly namespace: string
  readonly signal: AbortSignal
}

/** The objects of one step by name; what cannot be had is put down in `gaps`, and only an abort ends the reading. */
export async function* collectStep(step: Step, gaps: Gaps, options: CollectOptions): AsyncGenerator<KubernetesObject> {
  const { client, signal } = options
  const { namespace, resource } = step
  if (step.all) {
    yield* collectAll(step, gaps, options)
    return
  }
  for (const release of step.helmReleases) {
    const labelSelector = `owner=helm,name=${release}`
    const list = client.list(resource, namespace, { signal, labelSelector })
    const before = gaps.missing.length
    let found = 0
    // One right is for all of them: what refuses one refuses the others.
    const all = `Helm releases ${step.helmReleases.join(', ')} of namespace ${namespace}`
    for await (const object of guarded(list, all, gaps.missing)) {
      found += 1
      yield object
    }
    if (gaps.missing.length > before) break
    if (found === 0) gaps.absent.push(`Helm release ${namespace}/${release}`)
  }
  for (const { name, required } of step.names) {
    const ref = { resource, namespace, name }
    const what = describeRef(ref)
    try {
      const object = await client.find(ref, { signal })
      if (object) yield object
      else if (required) gaps.missing.push({ what, reason: 'it does not exist' })
      else gaps.absent.push(what)
    } catch (thrown) {
      putDown(thrown, what, required ? gaps.missing : gaps.unread)
    }
  }
}

async function* collectAll(step: Step, gaps: Gaps, { client, namespace: own, signal }: CollectOptions) {
  const { namespace, resource } = step
  const found = new Set<string>()
  const list = client.list(resource, namespace, { signal })
  const before = gaps.missing.length
  for await (const object of guarded(list, `${resourceName(resource)} of namespace ${namespace}`, gaps.missing)) {
    found.add(object.metadata.name)
    const { name } = object.metadata
    if (isMadeAgain(object) || isNeverSaved(own, resource, { namespace, name })) continue
    yield object
  }
  if (gaps.missing.length > before) return
  for (const { name, required } of step.names) {
    const what = describeRef({ resource, namespace, name })
    if (found.has(name)) continue
    if (required) gaps.missing.push({ what, reason: 'it does not exist' })
    else gaps.absent.push(what)
  }
}

async function* guarded<T>(list: AsyncIterable<T>, what: string, gap: Unread[]): AsyncGenerator<T> {
  try {
    yield* list
  } catch (thrown) {
    putDown(thrown, what, gap)
  }
}

/**
 * Rights that are missing, and kinds that cannot be listed, are facts about the installation and go into the manifest.
 * A server that does not answer is none: the run fails, and is tried again.
 */
function putDown(thrown: unknown, what: string, gap: Unread[]): void {
  const failure = toFailure(thrown)
  if (!(failure instanceof Failure) || !LASTING.has(failure.code)) throw thrown
  gap.push({ what, reason: sentenceOf(failure) })
}

const LASTING: ReadonlySet<string> = new Set(['permission', 'not_found', 'refused', 'unsupported'])
