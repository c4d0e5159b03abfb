import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Failure } from '../../core/errors.ts'
import type { KubernetesObject, Resource } from '../../kubernetes/object.ts'
import { resourceName, textAt } from '../../kubernetes/object.ts'
import { readTar } from './tar.ts'

/** The last file of the archive: what there is, what there is not, and why. */
export const INDEX = 'index.json'
/** `_helm/default/hubble.values.json`: no namespace begins with `_`. */
export const HELM_VALUES = '_helm/'

const Gap = z.strictObject({ what: z.string(), reason: z.string() })

const Index = z.strictObject({
  format_version: z.literal(1),
  objects: z.array(z.strictObject({ path: z.string(), sha256: z.string() })),
  missing: z.array(Gap),
  absent: z.array(z.string()),
  unread: z.array(Gap),
})

export type Index = z.infer<typeof Index>

/** `hubble-system/deployments.apps/auth.json` */
export function objectPath(namespace: string, resource: Resource, name: string): string {
  return `${namespace}/${resourceName(resource)}/${name}.json`
}

export interface StoredObject {
  readonly path: string
  readonly object: KubernetesObject
}

/** The objects of an archive one after another; at its end everything is compared with the index. */
export async function* readObjects(body: AsyncIterable<Uint8Array>): AsyncGenerator<StoredObject, Index> {
  const found = new Map<string, string>()
  let index: Index | undefined
  for await (const { path, content } of readTar(body)) {
    if (index) throw damaged(`${path} stands behind the index`)
    if (path === INDEX) {
      index = parseIndex(content)
      continue
    }
    if (found.has(path)) throw damaged(`${path} is there twice`)
    found.set(path, sha256(content))
    const object = parseObject(path, content)
    if (object) yield { path, object }
  }
  if (!index) throw damaged('it has no index')
  for (const { path, sha256: expected } of index.objects) {
    if (found.get(path) !== expected) throw damaged(`${path} is ${found.has(path) ? 'not what was stored' : 'missing'}`)
    found.delete(path)
  }
  const [extra] = found.keys()
  if (extra !== undefined) throw damaged(`${extra} is not in its index`)
  return index
}

/** `Secret`, `Deployment.apps`: how objects are counted. */
export function kindOf({ apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>): string {
  const [group, version] = apiVersion.split('/')
  return version === undefined ? kind : `${kind}.${group}`
}

/** How many there are of each kind, kinds in order. */
export class KindCounts {
  readonly #counts = new Map<string, number>()

  add(object: Pick<KubernetesObject, 'apiVersion' | 'kind'>): void {
    const kind = kindOf(object)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  toRecord(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Values of Helm releases lie beside the objects as plain files. */
function parseObject(path: string, content: Buffer): KubernetesObject | undefined {
  const value = parseJson(path, content)
  if (path.startsWith(HELM_VALUES)) return undefined
  const kind = textAt(value, 'kind')
  const apiVersion = textAt(value, 'apiVersion')
  const name = textAt(value, 'metadata', 'name')
  if (kind === undefined || apiVersion === undefined || name === undefined) throw damaged(`${path} is no object`)
  return { ...Object(value), kind, apiVersion, metadata: { ...Object(value).metadata, name } }
}

function parseIndex(content: Buffer): Index {
  const value = parseJson(INDEX, content)
  const version = Object(value).format_version
  if (typeof version === 'number' && version > 1) {
    throw new Failure(
      `reading the archive of Kubernetes objects: it has format version ${version}, this program reads 1`,
      {
        code: 'unsupported',
        hint: 'Use the version of palette-backup that wrote it, or a newer one.',
      },
    )
  }
  const parsed = Index.safeParse(value)
  if (parsed.success) return parsed.data
  throw damaged('its index is malformed')
}

function parseJson(path: string, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'))
  } catch {
    throw damaged(`${path} is not JSON`)
  }
}

function damaged(what: string): Failure {
  return new Failure(`reading the archive of Kubernetes objects: ${what}`, { code: 'damaged' })
}
