import { Failure } from '../../core/errors.ts'
import type { KubernetesClient } from '../../kubernetes/client.ts'
import type { KubernetesObject, ObjectRef } from '../../kubernetes/object.ts'
import { CONFIG_MAPS, describeObject, describeRef, SECRETS } from '../../kubernetes/object.ts'
import { readObjects } from './archive.ts'
import { cleanObject } from './clean.ts'
import { differences, type FieldChange } from './differences.ts'
import { describeProtected, whyProtected } from './protect.ts'

/** What putting one object back would do. The server has tried it already. */
export interface ObjectChange {
  /** `Secret hubble-system/configserversecret` */
  readonly what: string
  readonly action: 'create' | 'change' | 'none'
  /** Names and sizes, never values. */
  readonly fields: readonly FieldChange[]
}

export interface PlannedObjects {
  readonly changes: readonly ObjectChange[]
  /** Makes the changes, one after another, each only if nobody has changed the object since; resolves with what it made. */
  apply(signal: AbortSignal, onApplied?: (what: string) => void): Promise<readonly string[]>
}

export interface PlanObjectsOptions {
  readonly client: KubernetesClient
  /** `hubble-system/secrets/configserversecret`, as the paths in the archive are, without their ending. */
  readonly objects: readonly string[]
  readonly signal: AbortSignal
}

/**
 * Looks up the wanted objects in an unpacked archive, compares each with what the cluster has, and lets the API server try
 * the change without making it. Nothing is changed before `apply`. What may never be put back is refused here.
 */
export async function planObjects(
  body: AsyncIterable<Uint8Array>,
  { client, objects, signal }: PlanObjectsOptions,
): Promise<PlannedObjects> {
  const wanted = await pick(body, objects)
  const planned: {
    readonly change: ObjectChange
    readonly apply?: (dryRun: boolean, signal: AbortSignal) => unknown
  }[] = []
  for (const object of wanted) {
    const ref = refOf(object)
    const current = await client.find(ref, { signal })
    const what = describeRef(ref)
    if (!current) {
      const create = (dryRun: boolean, by: AbortSignal) => client.create(ref, object, { signal: by, dryRun })
      await create(true, signal)
      planned.push({ change: { what, action: 'create', fields: differences(undefined, object) }, apply: create })
      continue
    }
    const fields = differences(cleanObject(current), object)
    if (fields.length === 0) {
      planned.push({ change: { what, action: 'none', fields } })
      continue
    }
    const patch = patchOf(current, object)
    const change = (dryRun: boolean, by: AbortSignal) => client.patch(ref, patch, { signal: by, dryRun })
    await change(true, signal)
    planned.push({ change: { what, action: 'change', fields }, apply: change })
  }
  return {
    changes: planned.map(({ change }) => change),
    async apply(by, onApplied) {
      const done: string[] = []
      for (const { change, apply } of planned) {
        if (!apply) continue
        await apply(false, by)
        done.push(change.what)
        onApplied?.(change.what)
      }
      return done
    },
  }
}

async function pick(body: AsyncIterable<Uint8Array>, paths: readonly string[]): Promise<KubernetesObject[]> {
  const found = new Map<string, KubernetesObject>()
  const secrets: string[] = []
  // To the end, so that the archive proves itself before anything is taken from it.
  for await (const { path, object } of readObjects(body)) {
    const key = path.replace(/\.json$/, '')
    if (paths.includes(key)) found.set(key, object)
    if (!whyProtected(object)) secrets.push(key)
  }
  return paths.map((path) => {
    const object = found.get(path)
    if (!object) {
      const some = secrets.length > 20 ? `${secrets.slice(0, 20).join(', ')}, …` : secrets.join(', ')
      throw new Failure(`putting objects back: the backup holds no ${path}`, {
        code: 'not_found',
        hint: secrets.length === 0 ? 'It holds nothing that can be put back.' : `It holds ${some}.`,
      })
    }
    const why = whyProtected(object)
    if (why !== undefined) throw new Failure(describeProtected(object, why), { code: 'refused' })
    return object
  })
}

/** The data becomes that of the backup: keys that it does not hold go. */
function patchOf(current: KubernetesObject, object: KubernetesObject): object {
  const fields = ['data', 'binaryData'].flatMap((field) => {
    const before = mapOf(current[field])
    const after = mapOf(object[field])
    const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
    const change = { ...after, ...Object.fromEntries(removed.map((key) => [key, null])) }
    return Object.keys(change).length === 0 ? [] : [[field, change] as const]
  })
  return { metadata: { resourceVersion: current.metadata['resourceVersion'] }, ...Object.fromEntries(fields) }
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function refOf(object: KubernetesObject): ObjectRef {
  const { name, namespace } = object.metadata
  if (namespace === undefined) throw new Failure(`${describeObject(object)} has no namespace`, { code: 'damaged' })
  return { resource: object.kind === 'Secret' ? SECRETS : CONFIG_MAPS, namespace, name }
}
